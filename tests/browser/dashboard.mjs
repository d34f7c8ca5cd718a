// The operator's dashboard in headless Chromium: everything that a person clicks, with scripts switched
// off; then axe-core on every page, in light and dark and on a phone. Standard input names the relay, its
// tokens and the requests, and where the screenshots go. What the clicks did is asked from the API.
import { join } from "node:path";
import { check, launch, Page } from "./browser.mjs";

let input = "";
for await (const chunk of process.stdin) input += chunk;
const { url, admin, read, folder, email, requests } = JSON.parse(input);
const { rejected, waiting, desk, done, seen, odd } = requests;

/** The receipt of a request, by the API. */
async function receipt({ source, id }) {
  const path = `/erasures/${source}/${encodeURIComponent(id)}`;
  const reply = await fetch(url + path, { headers: { authorization: `Bearer ${admin}` } });
  check(reply.status === 200, `a receipt at ${path}`);
  return reply.json();
}

/** Opens a page again until it says this. */
async function until(page, text) {
  const end = Date.now() + 30_000;
  while (!(await page.text()).includes(text)) {
    check(Date.now() < end, `"${text}" at ${page.path()}: ${await page.text()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await page.page.reload({ waitUntil: "load" });
  }
}

function path({ source, id }) {
  return `/requests/${encodeURIComponent(source)}/${encodeURIComponent(id)}`;
}

async function login(page, token) {
  await page.type("token", token);
  return page.follow(() => page.press("Enter"));
}

async function clicks(page) {
  // Whoever comes without a session is asked for the token, and is led on afterwards.
  await page.goto(url + path(rejected));
  check(page.path().startsWith("/login?next="), `the login, not ${page.path()}`);
  let response = await login(page, "a-token-that-nobody-has");
  check(response.status() === 401, "401 for a wrong token");
  await page.has("This token is not one of this relay.");
  await page.hasNot("a-token-that-nobody-has");
  await login(page, admin);
  check(page.path() === path(rejected), `${path(rejected)}, not ${page.path()}`);
  const cookie = (await page.page.browserContext().cookies()).find(
    ({ name }) => name === "__Host-relay-session");
  check(cookie?.httpOnly && cookie.secure && cookie.sameSite === "Strict", "a safe cookie");

  // By keyboard: the first stop skips to the content, and focus is seen.
  await page.press("Tab");
  check((await page.focused()) === "link Skip to the content", await page.focused());
  await page.press("Enter", "Tab");
  check((await page.focused()) === "link Requests", await page.focused());

  // Replay, after a change of mind.
  await page.has("has rejected the request");
  await page.link("Replay");
  await page.has("What failed or is blocked will be due now");
  await page.link("Cancel");
  await page.link("Replay");
  await page.button("Replay");
  check(page.path() === `${path(rejected)}?done=replay`, page.path());
  await page.has("The request is due now");
  await page.goto(url + path(rejected));
  await until(page, "Done");
  const replayed = await receipt(rejected);
  check(replayed.state === "done", "the vendor to have accepted the replay");
  const history = replayed.deliveries.flatMap((delivery) => delivery.history ?? []);
  check(history.some(({ outcome }) => outcome === "rejected"), "the first attempt to be kept");
  const line = (await page.text()).split("Time line")[1];
  check(/insider .*Rejected.* status 400.*Accepted.* status 200/.test(line), `both attempts: ${line}`);

  // The list, its filters and its search.
  await page.link("Requests");
  await page.has(done.id);
  await page.choose("state", "Pending");
  await page.button("Filter");
  check(page.path().includes("state=pending"), page.path());
  await page.has(waiting.id);
  await page.hasNot(done.id);
  await page.link("Show all");
  await page.type("text", done.id);
  await page.button("Find");
  check(page.path() === path(done), page.path());
  // A person is found by the identifier, which is in no address and on no page.
  await page.goto(`${url}/requests`);
  await page.choose("by", "Person: e-mail");
  await page.type("text", email);
  await page.button("Find");
  check(page.path() === path(done), page.path());
  await page.hasNot(email);
  await page.goto(`${url}/requests`);
  await page.type("text", "no such id");
  response = await page.button("Find");
  check(response.status() === 200 && page.path() === "/requests/search", page.path());
  await page.has("Nothing was found");
  await page.hasNot("no such id");

  // Acknowledge.
  await page.goto(url + path(seen));
  await page.has("gave no answer that confirms anything");
  await page.link("Acknowledge");
  await page.type("note", "asked the vendor");
  await page.button("Acknowledge");
  await page.has("What needed attention is acknowledged.");
  await page.has("Acknowledged by an operator – asked the vendor");
  check((await receipt(seen)).state === "acknowledged", "the request to be acknowledged");

  // Discard: the note is asked for by the browser, and by the relay.
  await page.goto(url + path(waiting));
  await page.link("Discard");
  await page.click('//button[contains(., "Discard")]');
  check(page.path() === `${path(waiting)}/discard`, "a note to be demanded");
  await page.type("note", "erased by hand <b>&");
  await page.button("Discard");
  await page.has("What waited was ended.");
  await page.has("erased by hand <b>&");
  check((await receipt(waiting)).state === "discarded", "the request to be discarded");

  // Close, with a word for the platform.
  await page.goto(url + path(desk));
  await page.has("Messages to the platform");
  await page.link("Close");
  await page.choose("outcome", "Failed");
  await page.type("note", "kept by law");
  await page.button("Close");
  await page.has("The request is closed, and its platform is told.");
  check((await receipt(desk)).closed.outcome === "failed", "the request to be closed as failed");

  // Resume the lane, from what needs a person.
  await page.goto(`${url}/`);
  await page.has("Lane: insider-us");
  await page.link("Resume");
  await page.has("Resume – insider-us?");
  await page.button("Resume");
  check(page.path() === "/accounts/insider-us?done=resume", page.path());
  await page.has("Calls begin again.");
  await page.goto(`${url}/`);
  await until(page, "Nothing needs a person.");

  // All that a lane holds.
  await page.follow(() => page.click('//a[.="insider"]'));
  await page.link("Replay all");
  await page.button("Replay all");
  await page.has("1 delivery sent again.");

  // The statistics, and what was done.
  await page.link("Records");
  await page.has("Requests that were received in the period");
  await page.type("from", "01312030");
  await page.button("Show");
  await page.has("The period cannot be used");
  await page.link("Audit trail");
  for (const action of ["Replay", "Acknowledge", "Discard", "Close", "Resume"]) await page.has(action);
  await page.has("Admin token (dashboard)");

  // The proof, and the file to keep.
  await page.goto(url + path(done));
  await page.link("Signed receipt");
  await page.has("webhook-signature");
  await page.has("cargo xtask verify-receipt");

  // What comes from outside is text.
  await page.goto(`${url}/`);
  await page.has("unprintable");
  await page.goto(`${url}/requests`);
  await page.hasNot("alert('id')");
  // An id that may be personal is in the receipt alone.
  await page.goto(url + path(odd));
  await page.hasNot("alert('id')");
  await page.link("Signed receipt");
  check(!decodeURIComponent(page.path()).includes("alert"), page.path());
  await page.has("<script>alert('id')</script>");

  await page.button("Log out");
  check(page.path() === "/login", page.path());
  await page.goto(`${url}/requests`);
  check(page.path().startsWith("/login"), "no page after the logout");

  // A session that only reads has no buttons, and no way around them.
  await page.goto(`${url}/login`);
  await login(page, read);
  await page.has("Read only");
  await page.goto(url + path(desk));
  await page.hasNot("Discard…");
  await page.hasNot("Acknowledge…");
  response = await page.goto(`${url}${path(desk)}/discard`);
  check(response.status() === 403, "403 for a session that only reads");
  await page.button("Log out");
}

/** Every page, with the way there. */
const PAGES = [
  ["overview", "/"],
  ["requests", "/requests"],
  ["filtered", "/requests?state=attention&due_within_days=30"],
  ["wrong-filter", "/requests?before=odd"],
  ["request", path(desk)],
  ["done", path(rejected)],
  ["discard", `${path(desk)}/discard`],
  ["close", `${path(desk)}/close`],
  ["impossible", `${path(waiting)}/close`],
  ["replay", `${path(desk)}/replay`],
  ["acknowledge", `${path(desk)}/acknowledge`],
  ["account", "/accounts/insider-us"],
  ["resume", "/accounts/insider-us/resume"],
  ["acknowledge-all", "/accounts/insider-us/acknowledge"],
  ["records", "/records"],
  ["wrong-period", "/records?from=2030-01-31&to=2026-01-01"],
  ["no-trail", "/actions"],
  ["proof", `${path(done)}/proof`],
  ["missing", "/requests/consent/nothing"],
];

const LOOKS = {
  light: {},
  dark: { dark: true },
  phone: { width: 390, height: 844 },
};

/** Has axe-core look at a page in each look, and takes pictures. */
async function see(page, name, violations) {
  for (const [look, size] of Object.entries(LOOKS)) {
    await page.look(size);
    await page.screenshot(join(folder, `${name}-${look}.png`));
    violations.push(...(await page.violations()));
  }
  const width = await page.page.evaluate(() => document.documentElement.scrollWidth);
  check(width <= LOOKS.phone.width, `${name} to fit on a phone, not ${width} wide`);
  await page.look();
}

async function looks(page, violations) {
  await page.goto(`${url}/login?next=%2Frequests`);
  await see(page, "login", violations);
  await login(page, "a-token-that-nobody-has");
  await see(page, "refused", violations);
  await login(page, admin);
  for (const [name, at] of PAGES) {
    await page.goto(url + at);
    await see(page, name, violations);
  }
  await page.goto(`${url}/requests`);
  await page.type("text", "no such id");
  await page.button("Find");
  await see(page, "search", violations);
  // The picture of the documentation.
  await page.goto(`${url}/`);
  await page.look({ width: 1280, height: 860 });
  await page.screenshot(join(folder, "dashboard.png"), false);
}

/** What the clicks have changed. */
const CHANGED = [
  ["calm", "/"],
  ["replayed", `${path(rejected)}?done=replay`],
  ["acknowledged", path(seen)],
  ["closed", path(desk)],
  ["resumed", "/accounts/insider-us?done=resume"],
  ["trail", "/actions"],
];

const browser = await launch();
try {
  const context = await browser.createBrowserContext();
  const viewer = await Page.open(context, { scripts: true });
  const violations = [];
  await looks(viewer, violations);
  const page = await Page.open(await browser.createBrowserContext(), { scripts: false });
  await page.look();
  try {
    await clicks(page);
  } catch (error) {
    await page.screenshot(join(folder, "failed.png"));
    throw error;
  }
  check(page.reports.length === 0, `no report of the browser:\n${page.reports.join("\n")}`);
  for (const [name, at] of CHANGED) {
    await viewer.goto(url + at);
    await see(viewer, name, violations);
  }
  check(violations.length === 0, `no violation by axe-core:\n${violations.join("\n")}`);
  console.log("done");
} finally {
  await browser.close();
}
