// Looks at every link of a built site, without a network: node tools/docs/links.mjs FOLDER
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const [folder] = process.argv.slice(2);
const files = readdirSync(folder, { recursive: true }).filter((name) => /\.(html|svg)$/.test(name));
const contents = new Map(files.map((page) => [page, readFileSync(join(folder, page), 'utf8')]));
const anchors = new Map(
  [...contents].map(([page, html]) => [
    page,
    new Set([...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id)),
  ]),
);

const broken = [...contents].flatMap(([page, html]) =>
  [...html.matchAll(/ (?:href|src)="([^"]*)"/g)]
    .map(([, link]) => link.replaceAll('&amp;', '&'))
    .filter((link) => !/^(https?|mailto|data):/.test(link) && !leads(page, link))
    .map((link) => `${page}: ${link}`),
);

/** Whether a link of a page leads to a file of the site, and to a place in it that is there. */
function leads(page, link) {
  const [path, anchor = ''] = decodeURI(link).split('#');
  const target = path === '' ? page : join(dirname(page), path);
  if (!existsSync(join(folder, target))) return false;
  return anchor === '' || (anchors.get(relative('.', target))?.has(anchor) ?? false);
}

for (const line of new Set(broken))
  console.error(`Unexpected link ${line}, expected one that leads somewhere. Mend it.`);
console.log(`${contents.size} files, ${broken.length} broken links`);
process.exit(broken.length > 0 ? 1 : 0);
