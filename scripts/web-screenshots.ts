import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { buildPage } from "./web/page.js";
import { respond } from "./web/respond.js";

// Pictures of the page for documents, from the page itself after it has trained: docs/images/page-….png
const { values } = parseArgs({ options: { chromium: { type: "string", default: "/usr/bin/chromium" } } });
const folder = fileURLToPath(new URL("../docs/images/", import.meta.url));
const shots = [
  { name: "page-light", colorScheme: "light", width: 1000, height: 1180 },
  { name: "page-dark", colorScheme: "dark", width: 1000, height: 1180 },
  { name: "page-phone", colorScheme: "light", width: 390, height: 1180 },
] as const;

const files = await buildPage();
const server = createServer((request, response) => respond(files, request, response));
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const browser = await chromium.launch({
  executablePath: values.chromium,
  args: ["--no-sandbox", "--disable-gpu"],
});
mkdirSync(folder, { recursive: true });
for (const { name, colorScheme, width, height } of shots) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.getByRole("button", { name: "Train" }).and(page.locator(":enabled")).waitFor();
  await page.getByRole("combobox", { name: "Experiment" }).selectOption("hare-lynx");
  await page.getByRole("button", { name: "Train" }).click();
  await page.locator("#train-status", { hasText: "Done" }).waitFor();
  await page.screenshot({ path: `${folder}${name}.png` });
  console.log(`docs/images/${name}.png`);
  await page.close();
}
await browser.close();
server.close();
