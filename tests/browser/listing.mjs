// Folders in a browser: what they show, sorting, previews, pages, uploads, deletes, without scripts, in the dark, and by rules of
// accessibility and HTML. Screenshots are left in `screenshots`.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import { HtmlValidate } from "html-validate";
import puppeteer from "puppeteer-core";

const HOST = "http://127.0.0.1:3000";
const FILES = `${HOST}/files/`;
const COOKIE = { cookie: "user=ann" };
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const failures = [];
const check = (what, is) => {
  console.log(is ? `ok      ${what}` : `FAILED  ${what}`);
  if (!is) failures.push(what);
};

// A picture with a gradient of its own.
const picture = (seed, width = 96, height = 64) => {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1)
      rows.set([(x * 2 + seed * 40) & 255, (y * 3 + seed * 90) & 255, (200 - x + seed * 20) & 255], y * (width * 3 + 1) + 1 + x * 3);
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
};
const pdf = Buffer.from(
  "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
);
const NASTY = `<img src=x onerror=alert(1)> & "it's" 100%+?#.txt`;

const put = async (key, body, fields = {}) => {
  const path = key.split("/").map(encodeURIComponent).join("/");
  const response = await fetch(FILES + path, { method: "PUT", headers: { ...COOKIE, ...fields }, body });
  if (response.status !== 201) throw new Error(`${key} is not stored: ${response.status} ${await response.text()}`);
};
const read = async (path) => Buffer.from(await (await fetch(FILES + path, { headers: COOKIE })).arrayBuffer());

const server = spawn(join(process.env.EXAMPLES, "listing"), { stdio: ["ignore", "pipe", "inherit"] });
const folder = mkdtempSync(join(tmpdir(), "listing-"));
const screenshots = join(process.cwd(), "screenshots");
mkdirSync(screenshots, { recursive: true });
let browser;
try {
  await new Promise((resolve, reject) => {
    server.stdout.once("data", resolve);
    server.once("exit", () => reject(new Error("the example ended: is port 3000 free?")));
  });
  // Thirty of every kind, and a folder of 2,500.
  const [film, sound] = [await read("media/clock.webm"), await read("media/arpeggio.mp3")];
  const mixed = [
    ["README.md", "# Lighthouse, season two\n\nWhat is **approved** goes to `delivery`. See [the notes](notes.txt).\n\n| reel | state |\n|---|---|\n| 1 | approved |\n| 2 | in review |\n"],
    ["notes.txt", "Scene 12 again\n".repeat(200)],
    ["budget 2026.csv", "reel,days\n1,12\n2,9\n"],
    ["cut.json", '{"fps": 24}\n'],
    ["poster.svg", '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8" fill="teal"/></svg>'],
    ["storyboard.pdf", pdf],
    ["clock.webm", film],
    ["arpeggio.mp3", sound],
    ["plates.zip", Buffer.alloc(3_400_000)],
    ["grade.exr", Buffer.alloc(820_000)],
    ["index page.html", "<!DOCTYPE html><title>x</title>"],
    [NASTY, "nasty"],
    ["שלום עולם.txt", "שלום"],
    ["日本語のファイル名.txt", "日本語"],
    ["a-very-long-name-" + "of-a-file-that-nobody-shortened-".repeat(4) + ".bin", "x"],
    ...Array.from({ length: 12 }, (_, n) => [`still ${String(n + 1).padStart(2, "0")}.png`, picture(n)]),
    ["delivery/reel 1.txt", "x"],
    ["delivery/reel 2.txt", "x"],
    ["rushes/day 1/a.txt", "x"],
    ["sound/a.txt", "x"],
  ];
  for (const [name, body] of mixed) await put(`mixed/${name}`, body);
  // A page that calls itself a document, and would rename whatever shows it.
  const evil = "<!DOCTYPE html><title>evil</title><script>document.title = 'run'; top.document.title = 'run'</script>";
  await put("evil/evil.pdf", evil, { "content-type": "text/html" });
  await put("evil/evil.txt", evil, { "content-type": "text/html" });
  await put("evil/evil.svg", `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>top.document.title = "run"</script></svg>`);
  const names = Array.from({ length: 2500 }, (_, n) => `many/frame ${String(n).padStart(4, "0")}.dpx`);
  const rest = [...names];
  await Promise.all(Array.from({ length: 32 }, async () => {
    for (let name = rest.pop(); name; name = rest.pop()) await put(name, "x".repeat(name.length));
  }));

  const arguments_ = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args: arguments_ });
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  // What browsers ask every host for, and the example does not have.
  const isIcon = (message) => message.location().url?.endsWith("/favicon.ico");
  page.on("console", (message) => message.type() === "error" && !isIcon(message) && errors.push(message.text()));
  page.on("dialog", (dialog) => { errors.push(`a dialog says ${dialog.message()}`); dialog.dismiss(); });
  await page.setViewport({ width: 1280, height: 900 });
  const go = (path) => page.goto(new URL(path, FILES).href, { waitUntil: "load" });
  const shown = () => page.$$eval("td.name a:last-child", (links) => links.map((link) => link.textContent));
  const settled = () => page.waitForFunction(() => [...document.images].every((image) => image.complete || image.loading === "lazy"));

  // Who is not logged in is led there, and back.
  await go("");
  check("a folder is for users alone", page.url() === `${HOST}/`);
  await page.click("a");
  await page.waitForSelector("table");
  check("and they get there", page.url() === FILES);

  const validate = new HtmlValidate({ extends: ["html-validate:recommended"] });
  const rules = async (what) => {
    const html = await (await fetch(page.url(), { headers: { ...COOKIE, accept: "text/html" } })).text();
    const report = await validate.validateString(html);
    const said = report.results.flatMap(({ messages }) => messages.map(({ ruleId, message, line, column }) => `${ruleId} ${line}:${column} ${message}`));
    check(`${what}: the HTML is valid (${[...new Set(said)].slice(0, 5).join("; ")})`, report.valid);
    for (const scheme of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => axe.run());
      const list = violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`).join("; ");
      check(`${what}, ${scheme}: axe finds no violation (${list})`, violations.length === 0);
    }
  };
  const pictures = async (name) => {
    for (const [width, height] of [[1280, 900], [390, 844]]) {
      await page.setViewport({ width, height });
      for (const scheme of ["light", "dark"]) {
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
        await settled();
        await page.screenshot({ path: join(screenshots, `${name}-${width}-${scheme}.png`) });
      }
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      check(`${name}: nothing is wider than ${width} pixels (${overflow})`, overflow <= 0);
    }
    await page.setViewport({ width: 1280, height: 900 });
  };

  // Thirty entries.
  await go("mixed/");
  const entries = await shown();
  check(`a folder shows its entries (${entries.length})`, entries.length === 30);
  check("folders come first", entries.slice(0, 3).join() === "delivery/,rushes/,sound/");
  check("names are text", entries.includes(NASTY));
  check("the note is rendered", (await page.$eval(".note h2", (title) => title.textContent)) === "Lighthouse, season two");
  const hrefs = await page.$$eval("td.name a:last-child", (links) => links.map((link) => link.href));
  const statuses = await Promise.all(hrefs.map(async (href) => (await fetch(href, { headers: COOKIE })).status));
  check(`each link leads somewhere (${statuses.join(" ")})`, statuses.every((status) => status === 200));
  await rules("a folder");
  await pictures("folder");

  await Promise.all([page.waitForNavigation(), page.click("th.size a")]);
  const bySize = await shown();
  check(`a click sorts by size (${bySize[3]})`, bySize[3] === "plates.zip" && bySize.at(-1) !== bySize[3]);
  await Promise.all([page.waitForNavigation(), page.click("th.size a")]);
  check("and another one turns that around", (await shown()).at(-1) === "plates.zip");
  check("which is told", (await page.$eval("th.size", (head) => head.ariaSort)) === "ascending");

  // Previews.
  await go("mixed/");
  const preview = async (name) => {
    await page.evaluate((label) => document.querySelector(`a.preview[aria-label="Preview of ${label}"]`).click(), name);
    await page.waitForFunction((title) => document.querySelector("#viewer[open] h1")?.textContent === title, {}, name);
  };
  await preview("still 01.png");
  await page.waitForFunction(() => document.querySelector("#viewer .stage img")?.naturalWidth === 96);
  check("a picture is shown in a dialog", true);
  await pictures("preview");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.querySelector("#viewer h1").textContent === "still 02.png");
  check("an arrow shows the next", true);
  await page.keyboard.press("Escape");
  check("escape closes it", (await page.$("#viewer[open]")) === null);
  for (const [name, probe] of [
    ["clock.webm", () => document.querySelector("#viewer video")?.duration > 0],
    ["arpeggio.mp3", () => document.querySelector("#viewer audio")?.duration > 0],
    ["notes.txt", () => document.querySelector("#viewer pre")?.textContent.startsWith("Scene 12")],
  ]) {
    await preview(name);
    const is = await page.waitForFunction(probe, { timeout: 5000 }).then(() => true, () => false);
    check(`${name} has a preview`, is);
    await page.keyboard.press("Escape");
  }
  for (const name of ["evil.txt", "evil.svg"]) {
    await go(`evil/?preview=${name}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const titles = await Promise.all(page.frames().map((frame) => frame.evaluate(() => document.title).catch(() => "")));
    check(`${name} runs nothing when it is shown (${titles.join()})`, !titles.includes("run"));
  }
  const framed = await fetch(`${FILES}evil/?preview=evil.pdf`, { headers: COOKIE });
  check("a document that could be a page is not shown in one", framed.status === 404);
  await go("mixed/?preview=notes.txt");
  await rules("a preview");

  // Pages.
  const seen = new Set();
  await go("many/");
  let pages = 1;
  for (;;) {
    for (const name of await shown()) seen.add(name);
    if (pages === 1) await pictures("many");
    if (pages === 2) await rules("the second page");
    if (!(await page.$('a[rel="next"]'))) break;
    await Promise.all([page.waitForNavigation(), page.click('a[rel="next"]')]);
    pages += 1;
  }
  check(`2,500 entries are on three pages (${seen.size} on ${pages})`, seen.size === 2500 && pages === 3);

  // Uploads.
  await go("mixed/delivery/");
  const big = join(folder, "reel 3 & more.bin");
  writeFileSync(big, Buffer.alloc(60_000_000, 7));
  await page.evaluate(() => {
    window.seen = [];
    new MutationObserver(() => window.seen.push(document.querySelector("#uploads progress").value)).observe(
      document.getElementById("uploads"),
      { subtree: true, childList: true, attributes: true, characterData: true },
    );
    addEventListener("pagehide", () => sessionStorage.setItem("seen", JSON.stringify(window.seen)));
  });
  // Two seconds on any machine: a bar that is done at once does not move.
  await page.emulateNetworkConditions({ upload: 30_000_000, download: -1, latency: 0 });
  await Promise.all([page.waitForNavigation({ timeout: 30_000 }), (await page.$("#files")).uploadFile(big)]);
  await page.emulateNetworkConditions(null);
  const progress = JSON.parse(await page.evaluate(() => sessionStorage.getItem("seen")));
  check(`an upload shows its progress (${progress.length} steps) and its file`, progress.length > 3 && progress.at(-1) === 1 && (await shown()).includes("reel 3 & more.bin"));
  const drop = (name, body) =>
    page.evaluate((name, body) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([body], name));
      document.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    }, name, body);
  await Promise.all([page.waitForNavigation(), drop("dropped #1.txt", "dropped")]);
  check("a file that is dropped is stored", (await shown()).includes("dropped #1.txt") && String(await read("mixed/delivery/dropped%20%231.txt")) === "dropped");
  await drop("reel 1.txt", "again");
  await page.waitForFunction(() => document.querySelector("#uploads .failed"));
  check("what is there stays, and that is told", (await page.$eval("#uploads .failed", (item) => item.textContent)).includes("There is a file of this name"));
  await pictures("upload");
  errors.splice(0, errors.length, ...errors.filter((error) => !error.includes("412")));

  // Deletes.
  const remove = (name) => page.evaluate((name) => document.querySelector(`button.delete[aria-label="Delete ${name}"]`).click(), name);
  await remove("reel 2.txt");
  await page.waitForSelector("#confirm[open]");
  await rules("the question before a delete");
  await pictures("delete");
  await page.click("#keep");
  check("what is kept is there", (await shown()).includes("reel 2.txt"));
  await remove("reel 2.txt");
  await Promise.all([page.waitForNavigation(), page.click("#remove")]);
  check("what is deleted is not", !(await shown()).includes("reel 2.txt"));

  // Without scripts.
  await page.setJavaScriptEnabled(false);
  await go("mixed/");
  check("it can be read without scripts", (await shown()).length === 30);
  check("and then nothing offers what needs one", (await page.$eval("#upload", (section) => getComputedStyle(section).display)) === "none");
  await Promise.all([page.waitForNavigation(), page.click('a.preview[aria-label="Preview of still 03.png"]')]);
  check("a preview is a page", (await page.$eval(".stage img", (image) => image.alt)) === "still 03.png");
  await Promise.all([page.waitForNavigation(), page.click("a.back")]);
  check("with a way back", page.url() === `${FILES}mixed/`);

  check(`the pages have no errors (${errors.join("; ")})`, errors.length === 0);
} finally {
  await browser?.close();
  server.kill();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failures.length ? 1 : 0);
