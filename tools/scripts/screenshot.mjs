// Pictures the top of a page: node tools/scripts/screenshot.mjs PAGE.html PICTURE.png
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const [from, to] = process.argv.slice(2);
if (from === undefined || to === undefined) {
  console.error('Unexpected arguments, expected PAGE.html PICTURE.png.');
  process.exit(2);
}
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
const page = await browser.newPage({
  viewport: { width: 1000, height: 1000 },
  deviceScaleFactor: 0.75,
  colorScheme: 'light',
});
await page.goto(pathToFileURL(resolve(from)).href);
await page.screenshot({ path: to });
await browser.close();
