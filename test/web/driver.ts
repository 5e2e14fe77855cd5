import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { buildPage } from "../../scripts/web/page.js";
import { gpuInSoftware, openChromium, site } from "../browser/site.js";

/** A browser that has the page, or why there is none. */
export interface Driven {
  readonly browser: Browser;
  readonly url: string;
  close(): Promise<void>;
}

export async function openPage(): Promise<Driven | { readonly reason: string }> {
  const browser = await openChromium(gpuInSoftware);
  if ("reason" in browser) return browser;
  const served = await site(await buildPage());
  return {
    browser,
    url: served.url,
    async close() {
      await browser.close();
      await served.close();
    },
  };
}

/** The page when it is ready; whatever goes wrong in it is kept. */
export async function readyPage({ browser, url }: Driven, wrong: string[]): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
  page.on("pageerror", ({ message }) => wrong.push(message));
  page.on("console", (message) => {
    if (message.type() === "error") wrong.push(message.text());
  });
  await page.goto(url);
  await page.getByRole("button", { name: "Train" }).and(page.locator(":enabled")).waitFor();
  return page;
}

/** Waits until a training has ended. @returns what its status says */
export async function ended(page: Page, timeout = 60_000): Promise<string> {
  const status = page.locator("#train-status");
  await page.locator("#train-status", { hasText: /^(Done|Stopped|\w*Error)/ }).waitFor({ timeout });
  return (await status.textContent())!;
}

/** A finding that the page shows, by its name. */
export async function finding(page: Page, name: string): Promise<number> {
  const pair = page.locator("#findings > div", { has: page.getByText(name, { exact: true }) });
  return Number(await pair.locator("dd").textContent());
}

/** The bytes of a file that the page offers. */
export async function downloaded(page: Page, name: string): Promise<Uint8Array> {
  const waiting = page.waitForEvent("download");
  await page.getByRole("link", { name, exact: true }).click();
  return readFileSync(await (await waiting).path());
}
