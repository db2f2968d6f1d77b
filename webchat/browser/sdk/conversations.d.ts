// What the bundle in static/webchat/sdk/ exports: tsconfig.json lays this directory over static/webchat/.
export { Client } from "@twilio/conversations";
