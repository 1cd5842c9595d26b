import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { html, type Markup } from './markup.js';

const client = (file: string) => readFileSync(new URL(`../client/${file}`, import.meta.url), 'utf8');
const STYLE = client('report.css');
const SCRIPT = client('report.js');

/** A source of the content security policy: this very text and no other. */
const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

const POLICY = [
  "default-src 'none'",
  `script-src ${hashOf(SCRIPT)}`,
  `style-src ${hashOf(STYLE)}`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** A whole page with style, script and data in it, which may load nothing and run nothing else. */
export function documentOf(page: {
  readonly title: string;
  readonly body: Markup;
  /** For the script, escaped. */
  readonly data?: string;
}): string {
  // Joined by hand: what is hashed must stand here to the letter.
  const head = html`<meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
    <title>${page.title}</title>`;
  const scripts =
    page.data === undefined
      ? ''
      : `<script type="application/json" id="data">${page.data}</script>\n<script>${SCRIPT}</script>\n`;
  return `<!doctype html>\n<html lang="en">\n<head>\n${head.markup}\n<style>${STYLE}</style>\n</head>\n<body>\n<main>\n${page.body.markup}\n</main>\n${scripts}</body>\n</html>\n`;
}
