/** The parts of a webchat's page as tabs. Without this script they stand below each other, and the links lead to them. */

/** https://www.w3.org/WAI/ARIA/apg/patterns/tabs/ */
class WebchatTabs extends HTMLElement {
  /** @type {HTMLAnchorElement[]} */
  tabs = [];

  connectedCallback() {
    const list = /** @type {HTMLElement} */ (this.querySelector("nav"));
    this.tabs = [...list.querySelectorAll("a")];
    list.setAttribute("role", "tablist");
    for (const tab of this.tabs) {
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", tab.hash.slice(1));
      this.panelOf(tab).setAttribute("role", "tabpanel");
      tab.addEventListener("click", (event) => {
        event.preventDefault();
        this.open(tab);
      });
      tab.addEventListener("keydown", (event) => this.move(event, tab));
    }
    this.classList.add("is-ready");
    window.addEventListener("hashchange", () => this.openFromAddress());
    this.show(this.tabs.find((tab) => tab.classList.contains("has-errors")) ?? this.tabOfAddress() ?? this.tabs[0]);
  }

  /** @param {HTMLAnchorElement} tab */
  panelOf(tab) {
    return /** @type {HTMLElement} */ (document.getElementById(tab.hash.slice(1)));
  }

  tabOfAddress() {
    return this.tabs.find((tab) => tab.hash === location.hash);
  }

  openFromAddress() {
    const tab = this.tabOfAddress();
    if (tab) this.show(tab);
  }

  /** Keeps the tab in the address: a save comes back to it, and it can be linked to. @param {HTMLAnchorElement} tab */
  open(tab) {
    history.replaceState(history.state, "", tab.hash);
    this.show(tab);
  }

  /** @param {HTMLAnchorElement | undefined} chosen */
  show(chosen) {
    for (const tab of this.tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      this.panelOf(tab).hidden = tab !== chosen;
    }
    const form = this.closest("form");
    if (form && chosen) form.action = chosen.hash;
  }

  /** @param {KeyboardEvent} event @param {HTMLAnchorElement} from */
  move(event, from) {
    const { tabs } = this;
    const at = tabs.indexOf(from);
    const forward = getComputedStyle(this).getPropertyValue("direction") === "rtl" ? "ArrowLeft" : "ArrowRight";
    const back = forward === "ArrowRight" ? "ArrowLeft" : "ArrowRight";
    const to = { [forward]: at + 1, [back]: at - 1, Home: 0, End: tabs.length - 1, " ": at }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const tab = tabs[(to + tabs.length) % tabs.length];
    this.open(tab);
    tab.focus();
  }
}

customElements.define("webchat-tabs", WebchatTabs);
