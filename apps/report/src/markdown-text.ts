/** Text as a code span, in which nothing means anything. */
export function code(text: string): string {
  const line = oneLine(text);
  const longest = Math.max(0, ...(line.match(/`+/g) ?? []).map(({ length }) => length));
  const fence = '`'.repeat(longest + 1);
  const space = longest > 0 ? ' ' : '';
  return `${fence}${space}${line}${space}${fence}`;
}

/** Text in which every mark of Markdown and HTML is escaped. */
export const plain = (text: string): string => oneLine(text).replace(/[\\`*_{}[\]<>#|~&@]/g, String.raw`\$&`);

/** A table: heads, and rows of cells that are Markdown already. */
export const markdownTable = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  [heads, heads.map((_, i) => (i === 0 ? '---' : '--:')), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replace(/(?<!\\)\|/g, String.raw`\|`)).join(' | ')} |`)
    .join('\n');

const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim() || '(empty)';
