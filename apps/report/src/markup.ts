/** Text that is HTML already: it is not escaped again. */
export interface Markup {
  readonly markup: string;
}

/** What may stand in a template: text and numbers are escaped, markup is not. */
export type Content = string | number | Markup | readonly Content[];

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A template of HTML or SVG in which every value is escaped, between tags and in quoted attributes alike. */
export const html = (texts: TemplateStringsArray, ...values: readonly Content[]): Markup => ({
  markup: texts.reduce((all, text, i) => all + markupOf(values[i - 1]!) + text),
});

function markupOf(content: Content): string {
  if (typeof content !== 'object')
    return String(content).replace(/[&<>"']/g, (character) => ESCAPES[character]!);
  return 'markup' in content ? content.markup : content.map(markupOf).join('');
}
