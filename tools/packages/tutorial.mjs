/** The steps of a page in Markdown, in order: files that it shows, lines that it has typed, and what they print. */
export function stepsOf(page) {
  const steps = [];
  for (const [, before, language, code] of page.matchAll(/([^\n]*)\n\n```(\w+)\n([^]*?)```/g)) {
    if (language === 'sh')
      steps.push(
        ...code
          .trim()
          .split('\n')
          .map((line) => ({ type: line })),
      );
    if (language === 'text') steps.push({ prints: code });
    if (language === 'ts') {
      const path = /`([\w./-]+)`:$/.exec(before)?.[1];
      if (path === undefined)
        throw new Error(`no path before the code that begins with ${code.slice(0, 60)}`);
      steps.push({ path, write: code });
    }
  }
  return steps;
}
