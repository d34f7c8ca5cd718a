// A page in headless Chromium, used as people use it: by mouse and keyboard. What is on the page is read
// by the debugging protocol alone, so that all of this works where scripts are switched off.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.BROWSER_PACKAGES, "tests.js"));
const { default: puppeteer } = require("puppeteer-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export function launch() {
  return puppeteer.launch({
    executablePath: process.env.CHROME,
    headless: "shell",
    args: ["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--font-render-hinting=none"],
  });
}

/** Fails the test, with what was expected. */
export function check(holds, expected) {
  if (!holds) throw new Error(`expected: ${expected}`);
}

export class Page {
  /** What the browser reports: violations of the Content Security Policy, failed loads, scripts. */
  reports = [];

  static async open(context, { scripts }) {
    const self = new Page();
    self.page = await context.newPage();
    self.scripts = scripts;
    await self.page.setJavaScriptEnabled(scripts);
    if (scripts) await self.page.setBypassCSP(true);
    self.cdp = await self.page.createCDPSession();
    for (const domain of ["DOM", "Log", "Audits", "Runtime"]) await self.cdp.send(`${domain}.enable`);
    self.cdp.on("Log.entryAdded", ({ entry }) => self.report(entry.source, entry.text));
    self.cdp.on("Audits.issueAdded", ({ issue }) => self.report("issue", issue.code));
    self.cdp.on("Runtime.exceptionThrown", ({ exceptionDetails }) =>
      self.report("script", exceptionDetails.text));
    self.page.on("dialog", async (dialog) => {
      self.report("dialog", dialog.message());
      await dialog.dismiss();
    });
    return self;
  }

  report(source, text) {
    // A status of 400 or more is what some steps are about.
    if (source === "network" && text.includes("the server responded with a status of")) return;
    this.reports.push(`${source}: ${text} (at ${this.path()})`);
  }

  path() {
    const { pathname, search } = new URL(this.page.url());
    return pathname + search;
  }

  async look({ width = 1200, height = 800, dark = false } = {}) {
    await this.page.setViewport({ width, height });
    const value = dark ? "dark" : "light";
    await this.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
  }

  goto(url) {
    return this.page.goto(url, { waitUntil: "load" });
  }

  /** The HTML of the page as the browser has it. */
  async html() {
    const { root } = await this.cdp.send("DOM.getDocument", { depth: 0 });
    return (await this.cdp.send("DOM.getOuterHTML", { nodeId: root.nodeId })).outerHTML;
  }

  /** The text of the page. */
  async text() {
    const html = (await this.html()).replace(/<head>.*<\/head>/s, "").replace(/<[^>]*>/g, " ");
    const plain = html.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"');
    return plain.replaceAll("&nbsp;", " ").replaceAll("&amp;", "&").replace(/\s+/g, " ");
  }

  async has(text) {
    const found = await this.text();
    check(found.includes(text), `"${text}" at ${this.path()}, which says: ${found}`);
  }

  async hasNot(text) {
    check(!(await this.html()).includes(text), `no "${text}" at ${this.path()}`);
  }

  /** The elements that an XPath selects. */
  async all(xpath) {
    await this.cdp.send("DOM.getDocument", { depth: 0 });
    const { searchId, resultCount } = await this.cdp.send("DOM.performSearch", { query: xpath });
    if (resultCount === 0) return [];
    const range = { searchId, fromIndex: 0, toIndex: resultCount };
    return (await this.cdp.send("DOM.getSearchResults", range)).nodeIds;
  }

  async one(xpath) {
    const found = await this.all(xpath);
    check(found.length > 0, `${xpath} at ${this.path()}`);
    return found[0];
  }

  /** Clicks where the middle of an element is. */
  async click(xpath) {
    const nodeId = await this.one(xpath);
    await this.cdp.send("DOM.scrollIntoViewIfNeeded", { nodeId });
    const { quads } = await this.cdp.send("DOM.getContentQuads", { nodeId });
    check(quads.length > 0, `${xpath} can be seen at ${this.path()}`);
    const [x1, y1, , , x2, y2] = quads[0];
    await this.page.mouse.click((x1 + x2) / 2, (y1 + y2) / 2);
  }

  /** Does what leads to another page, and waits for that. */
  async follow(action) {
    const [response] = await Promise.all([
      this.page.waitForNavigation({ waitUntil: "load" }),
      action(),
    ]);
    return response;
  }

  link(text) {
    return this.follow(() => this.click(`//a[contains(., "${text}")]`));
  }

  button(text) {
    return this.follow(() => this.click(`//button[contains(., "${text}")]`));
  }

  async type(field, text) {
    await this.click(`//*[@id="${field}"]`);
    await this.page.keyboard.type(text);
  }

  /** Chooses an option by its first letters, as the keyboard does. */
  async choose(field, letters) {
    const nodeId = await this.one(`//*[@id="${field}"]`);
    await this.cdp.send("DOM.focus", { nodeId });
    await this.page.keyboard.type(letters);
  }

  async press(...keys) {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** The element that has the focus: its name and the text of its accessible name. */
  async focused() {
    const { nodes } = await this.cdp.send("Accessibility.getFullAXTree");
    const has = (node) => node.properties?.some((p) => p.name === "focused" && p.value.value);
    const node = nodes.filter(has).pop();
    return node === undefined ? "" : `${node.role.value} ${node.name?.value ?? ""}`.trim();
  }

  screenshot(path, fullPage = true) {
    return this.page.screenshot({ path, fullPage });
  }

  /** What axe-core finds against the page, in the present look. */
  async violations() {
    check(this.scripts, "a page whose scripts run");
    await this.page.evaluate(AXE);
    const { violations, passes } = await this.page.evaluate(() => axe.run(document));
    check(passes.length > 10, "axe-core to have looked at the page");
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map((node) => `${this.path()}: ${id}: ${help}: ${node.html} ${node.failureSummary}`));
  }
}
