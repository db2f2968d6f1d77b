"""The sandbox as one aiohttp application: Twilio's REST API, media service and Twilsock on one loopback port."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from aiohttp import web

from .agent_desk import Desk
from .chat_api import ChatApi
from .client_api import ClientApi
from .configuration import Configuration, Kind
from .configuration_api import ConfigurationApi
from .conversations_api import ConversationsApi
from .entities import new_sid
from .faults import Faults, FaultsApi
from .flex_api import FlexApi
from .limits import FRAME
from .loopback import is_loopback, loopback_only, origins
from .media import MediaApi, MediaStore
from .rest import is_rest, twilio_errors
from .scripted_agent import ScriptedAgent
from .store import Store
from .studio import Studio
from .studio_api import StudioApi
from .sync_api import SyncApi
from .taskrouter_api import TaskRouter, TaskRouterApi
from .tunnel import Tunnel
from .twilsock import Hub
from .webhooks import Webhooks


def make_app(*, auto_agent: bool, agent_pace: float = 1.0, kind: Kind = "new") -> web.Application:
    """`agent_pace` stretches or shortens the scripted agent's pauses. `kind`: of account."""
    store, media, faults, configuration = Store(), MediaStore(), Faults(), Configuration(kind)
    apis_of_sdks = (ClientApi(store, media), ChatApi(store), SyncApi(store.sync))
    tunnel = Tunnel(faults, [route for api in apis_of_sdks for route in api.routes()])
    hub = Hub(store, tunnel.answer)
    task_router = TaskRouter(store)
    desk, webhooks = Desk(store, media, task_router), Webhooks(store, configuration)
    closing = [desk.close]
    if auto_agent:
        closing.append(ScriptedAgent(store, agent_pace).close)

    # From the outside in: a fault strikes what is let in, before anybody looks at it.
    middlewares = [loopback_only, origins, faults.middleware, twilio_errors]
    app = web.Application(middlewares=middlewares, client_max_size=FRAME)
    app.add_routes([web.get("/v3/wsconnect", hub.serve)])
    apis = (
        FlexApi(store, configuration),
        ConversationsApi(store, media),
        ConfigurationApi(configuration),
        StudioApi(configuration),
        TaskRouterApi(task_router, configuration),
        MediaApi(media),
        FaultsApi(faults, hub, configuration),
        desk,
        webhooks,
    )
    for api in apis:
        app.add_routes(api.routes())

    async def close(_: web.Application) -> None:
        for end in closing:
            end()
        await hub.close()

    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(close)
    app.cleanup_ctx.append(webhooks.deliver)
    app.cleanup_ctx.append(Studio(store, configuration).run)
    return app


async def _add_headers(request: web.Request, answer: web.StreamResponse) -> None:
    answer.headers["X-Content-Type-Options"] = "nosniff"
    if is_rest(request):
        answer.headers["Twilio-Request-Id"] = new_sid("RQ")


async def start(
    host: str, port: int, *, auto_agent: bool, agent_pace: float = 1.0, kind: Kind = "new"
) -> tuple[web.AppRunner, int]:
    """Listens, and gives the port (port 0 chooses a free one). End with `await runner.cleanup()`."""
    if not is_loopback(host):
        raise ValueError(f"The sandbox listens on loopback addresses only, not on {host}")
    app = make_app(auto_agent=auto_agent, agent_pace=agent_pace, kind=kind)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner, runner.addresses[0][1]


async def serve(host: str, port: int, *, auto_agent: bool, kind: Kind, ready: Callable[[str], None]) -> None:
    """Serves until cancelled; `ready` is told the URL."""
    runner, port = await start(host, port, auto_agent=auto_agent, kind=kind)
    ready(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def run(host: str, port: int, *, auto_agent: bool, kind: Kind = "new", ready: Callable[[str], None]) -> None:
    """Serves until interrupted."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(host, port, auto_agent=auto_agent, kind=kind, ready=ready))
