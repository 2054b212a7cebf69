// A page uploads to another origin by a link: preflight, progress, what it shows, and what is stored.
import { createHash } from "node:crypto";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

const APP = "http://127.0.0.1:3000";
const MEDIA = "http://127.0.0.1:3001";

// One pixel, and behind it so much that the way takes more than a moment: decoders stop at the end of the picture.
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const PICTURE = Buffer.concat([PIXEL, Buffer.alloc(60_000_000, 7)]);
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

const failures = [];
const check = (what, is) => {
  console.log(is ? `ok      ${what}` : `FAILED  ${what}`);
  if (!is) failures.push(what);
};

const server = spawn(join(process.env.EXAMPLES, "upload"), { stdio: ["ignore", "pipe", "inherit"] });
const folder = mkdtempSync(join(tmpdir(), "upload-"));
let browser;
try {
  await new Promise((resolve, reject) => {
    server.stdout.once("data", resolve);
    server.once("exit", () => reject(new Error("the example ended: are ports 3000 and 3001 free?")));
  });
  const arguments_ = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args: arguments_ });
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  // Preflights are not requests of the page: the browser's own log of the network has them.
  const methods = [];
  const session = await page.createCDPSession();
  await session.send("Network.enable");
  session.on("Network.requestWillBeSent", ({ request }) => {
    if (request.url.startsWith(MEDIA)) methods.push(request.method);
  });
  await page.goto(APP);
  await page.evaluate(() => {
    window.seen = [];
    new MutationObserver(() => window.seen.push(document.getElementById("progress").value)).observe(
      document.getElementById("progress"),
      { attributes: true },
    );
  });
  const upload = async (name, bytes) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    const input = await page.$("#file");
    await input.uploadFile(path);
    await page.waitForFunction(() => /tored\./.test(document.getElementById("status").textContent), { timeout: 60_000 });
    return page.$eval("#status", (status) => status.textContent);
  };

  // Two seconds on any machine: a bar that is done at once does not move.
  await page.emulateNetworkConditions({ upload: PICTURE.length / 2, download: -1, latency: 0 });
  const said = await upload("a picture+1.png", PICTURE);
  await page.emulateNetworkConditions(null);
  check(`the page says that it is stored (${said})`, said === "Stored.");
  await page.waitForFunction(() => document.querySelector("#result img")?.complete, { timeout: 30_000 });
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT });
  check("the page shows the picture", await page.$eval("#result img", (picture) => picture.naturalWidth === 1));
  const seen = await page.evaluate(() => window.seen);
  check(`the bar moves (${seen.length} times) and ends at the end`, seen.length > 2 && seen.at(-1) === 1);
  check(`the browser asked first (${methods.join(" ")})`, methods.includes("OPTIONS") && methods.includes("PUT"));
  const stored = await fetch(`${MEDIA}/uploads/a%20picture%2B1.png`);
  check("the type is the file's", stored.headers.get("content-type") === "image/png");
  check("what is stored is what was sent", sha256(Buffer.from(await stored.arrayBuffer())) === sha256(PICTURE));

  // Other bytes than the link is for, and a page of an origin that may not.
  const url = await (await fetch(`${APP}/links/5/small.txt`)).text();
  const put = (body) => fetch(url, { method: "PUT", body });
  check("a link stores no other length", (await put("123456")).status === 403);
  check("it stores what it is for", (await put("12345")).status === 200);
  check("a changed link stores nothing", (await fetch(url.replace("small", "other"), { method: "PUT", body: "12345" })).status === 403);
  check(`the page has no errors (${errors.join("; ")})`, errors.length === 0);
  await page.goto("about:blank");
  const foreign = await page.evaluate(
    (url) => fetch(url, { method: "PUT", body: "12345" }).then(() => "stored", () => "refused"),
    url,
  );
  check("the browser lets no other page upload", foreign === "refused");
} finally {
  await browser?.close();
  server.kill();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failures.length ? 1 : 0);
