// A website in a browser: pages of an application by their own paths, pages of errors, folders and clean URLs. Screenshots are left in
// `screenshots`.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const failures = [];
const check = (what, is) => {
  console.log(is ? `ok      ${what}` : `FAILED  ${what}`);
  if (!is) failures.push(what);
};

// The standalone proxy over its demo, and what it prints.
const started = [];
const start = async (flags, ready) => {
  const child = spawn(process.env.PROXY, flags, { stdio: ["ignore", "pipe", "inherit"] });
  started.push(child);
  let text = "";
  return new Promise((resolve, reject) => {
    child.stdout.on("data", (data) => {
      text += data;
      const found = ready.exec(text);
      if (found) resolve(found);
    });
    child.once("exit", () => reject(new Error(`the proxy ended: ${text}`)));
  });
};

const folder = mkdtempSync(join(tmpdir(), "site-"));
const screenshots = join(process.cwd(), "screenshots");
mkdirSync(screenshots, { recursive: true });
let browser;
try {
  const greeting = /open {3}(http:\S+)\/[\s\S]*endpoint (\S+), bucket (\S+), region (\S+),[\s\S]*access key (\S+), secret key (\S+)/;
  const [, demo, endpoint, bucket, region, key, secret] = await start(["--listen", "127.0.0.1:0"], greeting);
  // An application, in a mount of its own on the same bucket: uploaded through a mount that may write.
  const mount = (path, prefix, more) => `
[[mount]]
path = "${path}"
bucket = "${bucket}"
prefix = "${prefix}"
region = "${region}"
endpoint_url = "${endpoint}"
path_style = true
access_key_id = "${key}"
secret_access_key = "${secret}"
${more}`;
  const config = join(folder, "proxy.toml");
  writeFileSync(
    config,
    mount("/upload", "app", '[mount.writes]\nwriters = "anybody"\n') +
      mount("/app", "app", '[mount.website]\nsingle_page = "index.html"\nclean_urls = true\n'),
  );
  const [, host] = await start(["--listen", "127.0.0.1:0", "--config", config], /on (http:\S+)/);
  const put = async (name, type, body) => {
    const response = await fetch(`${host}/upload/${name}`, { method: "PUT", headers: { "content-type": type }, body });
    if (response.status !== 201) throw new Error(`${name}: ${response.status}`);
  };
  await put(
    "index.html",
    "text/html",
    `<!doctype html><html lang="en"><title>App</title><h1></h1><a href="/app/settings">Settings</a>
     <script src="/app/assets/app.js"></script><img src="/app/assets/none.png" alt="">`,
  );
  await put("assets/app.js", "text/javascript", "document.querySelector('h1').textContent = location.pathname;");
  await put("about.html", "text/html", "<!doctype html><html lang=en><title>About</title><h1>About</h1>");

  browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
  const page = await browser.newPage();
  const seen = new Map();
  page.on("response", (response) => seen.set(new URL(response.url()).pathname, response.status()));
  const heading = () => page.$eval("h1", (h1) => h1.textContent);

  let response = await page.goto(`${host}/app/films/17?tab=cast`);
  check("a deep link of an application is its page, with 200", response.status() === 200 && (await heading()) === "/app/films/17");
  check("a picture that is missing there is still 404", seen.get("/app/assets/none.png") === 404);
  await Promise.all([page.waitForNavigation(), page.click("a")]);
  check("and so is a link within it", (await heading()) === "/app/settings");
  await page.reload();
  check("and a reload", (await heading()) === "/app/settings");
  response = await page.goto(`${host}/app/about`);
  check("a page is found by its clean URL", response.status() === 200 && (await heading()) === "About");
  response = await page.goto(`${host}/app`);
  check("the mount's own path leads to its index document", page.url() === `${host}/app/` && response.status() === 200);
  const fetched = await page.evaluate(() => fetch("/app/api/none", { headers: { accept: "application/json" } }).then((r) => r.status));
  check("what a script asks for and is missing is 404", fetched === 404);

  for (const width of [1280, 390])
    for (const scheme of ["light", "dark"]) {
      await page.setViewport({ width, height: 844 });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      response = await page.goto(`${demo}/no/such/page`);
      check(`the demo's page of errors, ${width} ${scheme}`, response.status() === 404 && (await page.title()) !== "");
      await page.screenshot({ path: join(screenshots, `missing-${width}-${scheme}.png`) });
      await page.goto(`${demo}/`);
      await page.screenshot({ path: join(screenshots, `home-${width}-${scheme}.png`) });
      for (const path of ["/", "/no/such/page"]) {
        await page.goto(`${demo}${path}`);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        check(`axe finds nothing at ${path}, ${width} ${scheme}`, violations.length === 0);
        for (const violation of violations) console.log(`        ${violation.id}: ${violation.help}`);
      }
    }
} finally {
  await browser?.close();
  for (const child of started) child.kill();
  rmSync(folder, { recursive: true });
}
console.log(failures.length ? `${failures.length} failed` : "all checks passed");
process.exitCode = failures.length ? 1 : 0;
