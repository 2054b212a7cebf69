// A film in HLS, of 30 segments, behind a log-in: played by one viewer who logs in with a cookie, and by another who has a link of the
// proxy's own, out of the cache of the first. Screenshots are left in `screenshots`.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

const SEGMENTS = 30;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const hls = readFileSync(createRequire(import.meta.url).resolve("hls.js/dist/hls.min.js"));
const failures = [];
const check = (what, is) => {
  console.log(is ? `ok      ${what}` : `FAILED  ${what}`);
  if (!is) failures.push(what);
};

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

// The page names playlist and script relatively, as the playlist names its segments.
const WATCH = `<!doctype html><html lang="en"><title>Watch</title><h1>Watch</h1><video muted width="320" height="180"></video>
<script src="hls.min.js"></script><script>
  const video = document.querySelector("video");
  const player = new Hls({ maxBufferLength: 120 });
  player.on(Hls.Events.ERROR, (_, error) => { if (error.fatal) window.fault = error.details; });
  video.addEventListener("ended", () => { window.ended = true; });
  player.on(Hls.Events.MANIFEST_PARSED, () => { video.playbackRate = 8; video.play(); });
  player.loadSource("index.m3u8");
  player.attachMedia(video);
</script>`;

const SIGN_IN = `<!doctype html><html lang="en"><head><title>Sign in</title><meta name="viewport" content="width=device-width"></head>
<body><main><h1>Sign in</h1><form method="post"><label>Name <input name="user" value="ada"></label> <button>Sign in</button></form></main></body></html>`;

// A service as oauth2-proxy is one: it decides at /auth, and has its sign-in below /oauth/.
const logIn = createServer((request, response) => {
  const hasSession = /session=ada/.test(request.headers.cookie ?? "");
  if (request.url === "/auth") {
    if (hasSession) return response.writeHead(204).end();
    const back = encodeURIComponent(request.headers["x-forwarded-uri"]);
    return response.writeHead(302, { location: `/oauth/sign_in?rd=${back}`, "set-cookie": "csrf=1; Path=/; HttpOnly" }).end();
  }
  const url = new URL(request.url, "http://service.test");
  if (request.method !== "POST") return response.writeHead(200, { "content-type": "text/html" }).end(SIGN_IN);
  request.resume().on("end", () => {
    const back = { location: url.searchParams.get("rd"), "set-cookie": "session=ada; Path=/; HttpOnly; SameSite=Lax" };
    response.writeHead(/csrf=1/.test(request.headers.cookie ?? "") ? 303 : 400, back).end();
  });
});
await new Promise((resolve) => logIn.listen(0, "127.0.0.1", resolve));

const folder = mkdtempSync(join(tmpdir(), "log-in-"));
const screenshots = join(process.cwd(), "screenshots");
mkdirSync(screenshots, { recursive: true });
let browser;
try {
  const film = join(folder, "film");
  mkdirSync(film);
  // VP9 in fragments of two seconds: what the free Chromium plays.
  const picture = `testsrc2=size=320x180:rate=15:duration=${2 * SEGMENTS}`;
  const codec = ["-c:v", "libvpx-vp9", "-b:v", "100k", "-g", "30", "-deadline", "realtime", "-cpu-used", "8"];
  const parts = ["-f", "hls", "-hls_time", "2", "-hls_segment_type", "fmp4", "-hls_playlist_type", "vod", "-hls_list_size", "0"];
  execFileSync("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", picture, ...codec, ...parts, "index.m3u8"], { cwd: film });
  const segments = readdirSync(film).filter((name) => name.endsWith(".m4s"));
  check(`the playlist has ${SEGMENTS} segments`, segments.length === SEGMENTS);

  const greeting = /open {3}(http:\S+)\/[\s\S]*endpoint (\S+), bucket (\S+), region (\S+),[\s\S]*access key (\S+), secret key (\S+)/;
  const [, , endpoint, bucket, region, key, secret] = await start(["--listen", "127.0.0.1:0"], greeting);
  const mount = (path, more) => `
[[mount]]
path = "${path}"
bucket = "${bucket}"
prefix = "log-in"
region = "${region}"
endpoint_url = "${endpoint}"
path_style = true
access_key_id = "${key}"
secret_access_key = "${secret}"
${more}`;
  const config = join(folder, "proxy.toml");
  const guarded = `cache_ttl_secs = 600
[mount.forward_auth]
url = "http://127.0.0.1:${logIn.address().port}/auth"
pass_through = "/oauth/"
[mount.own_links]
[[mount.own_links.key]]
id = "k1"
secret = "0123456789abcdef"
`;
  const tables = mount("/upload", 'cache = false\n[mount.writes]\nwriters = "anybody"\n') + mount("/media", guarded);
  writeFileSync(config, `[cache]\nsize = "64MiB"\n${tables}`);
  const [, host] = await start(["--listen", "127.0.0.1:0", "--config", config], /on (http:\S+)/);
  const put = async (name, body, type) => {
    const response = await fetch(`${host}/upload/film/${name}`, { method: "PUT", headers: type ? { "content-type": type } : {}, body });
    if (response.status !== 201) throw new Error(`${name}: ${response.status}`);
  };
  for (const name of readdirSync(film)) await put(name, readFileSync(join(film, name)));
  await put("watch.html", WATCH, "text/html");
  await put("hls.min.js", hls, "text/javascript");

  browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
  // What a page got, by its path.
  const watched = async (context) => {
    const page = await context.newPage();
    const responses = new Map();
    page.on("response", (response) => responses.set(new URL(response.url()).pathname, response));
    return { page, responses };
  };
  const plays = async ({ page, responses }, viewer, front) => {
    const over = page.waitForFunction(() => window.ended || window.fault, { timeout: 60_000 });
    const fault = await over.then(() => page.evaluate(() => window.fault)).catch((why) => why.message);
    check(`${viewer} sees the film to its end ${fault ?? ""}`, !fault);
    const got = segments.map((name) => responses.get(`${front}film/${name}`)).filter((response) => response?.status() === 200);
    check(`${viewer} got ${SEGMENTS} segments from below ${front.slice(0, 12)}`, got.length === SEGMENTS);
    check(`none of its responses is for a shared cache`, got.every((response) => /^private/.test(response.headers()["cache-control"])));
    return got.filter((response) => /hit/.test(response.headers()["cache-status"])).length;
  };

  const one = await watched(browser.defaultBrowserContext());
  await one.page.goto(`${host}/media/film/watch.html`);
  check("whoever has no session is led to the sign-in", new URL(one.page.url()).pathname === "/oauth/sign_in");
  for (const width of [1280, 390])
    for (const scheme of ["light", "dark"]) {
      await one.page.setViewport({ width, height: 844 });
      await one.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await one.page.screenshot({ path: join(screenshots, `sign-in-${width}-${scheme}.png`) });
    }
  await one.page.evaluate(axe);
  const { violations } = await one.page.evaluate(() => globalThis.axe.run());
  check("axe finds nothing at the sign-in", violations.length === 0);
  await Promise.all([one.page.waitForNavigation(), one.page.click("button")]);
  check("and after it to where they were going", new URL(one.page.url()).pathname === "/media/film/watch.html");
  const hits = await plays(one, "the first viewer", "/media/");
  check("what the first viewer sees is read from S3", hits === 0);
  await one.page.screenshot({ path: join(screenshots, "film-by-cookie.png") });

  const link = execFileSync(process.env.PROXY, ["link", "film/", "--expires", "10m", "--config", config, "--mount", "/media"]);
  const path = link.toString().trim();
  const other = await watched(await browser.createBrowserContext());
  await other.page.goto(`${host}${path}watch.html`);
  const again = await plays(other, "the second viewer, by a link,", path.replace(/film\/$/, ""));
  check("what the second viewer sees is in memory", again === SEGMENTS);
  check("and has no cookie", (await other.page.cookies()).length === 0);
  await other.page.screenshot({ path: join(screenshots, "film-by-link.png") });
  const forged = path.replace("/k1.", "/k1.A");
  for (const [what, where, status] of [
    ["a forged link", `${forged}index.m3u8`, 403],
    ["a link to what is beside its prefix", `${path.replace(/film\/$/, "")}other`, 403],
    ["a request without link and session", "/media/film/index.m3u8", 302],
  ]) {
    const response = await fetch(`${host}${where}`, { redirect: "manual" });
    check(`${what} is ${status}`, response.status === status && response.headers.get("cache-control") === "no-store");
  }
} finally {
  await browser?.close();
  for (const child of started) child.kill();
  logIn.close();
  logIn.closeAllConnections();
  rmSync(folder, { recursive: true });
}
console.log(failures.length ? `${failures.length} failed` : "all checks passed");
process.exitCode = failures.length ? 1 : 0;
