import { count, percent, short } from '@gauntlet/core';
import type { Change, Comparison } from './comparison.js';
import { html, type Markup } from './markup.js';
import { table } from './tables.js';

/** What got worse since an older run, and what got better. The samples are listed by the page's script. */
export function changesSection({ before, groups }: Comparison): Markup {
  return html`<section aria-labelledby="changes">
    <h2 id="changes">What got worse, and what better</h2>
    <p>${changesInWords({ before, groups })}</p>
    ${table(
      'Robust accuracy before and now, on the samples that both runs have',
      ['Attack', 'Epsilon', 'Samples', 'Before', 'Now', 'Change', 'Worse', 'Better', 'p'],
      groups.map((group) => [
        group.attack,
        short(group.epsilon),
        count(group.shared),
        share(group.before, group.shared),
        share(group.after, group.shared),
        points(group.after - group.before, group.shared),
        count(group.worse.length),
        count(group.better.length),
        short(group.p, 2),
      ]),
    )}
    <p class="note">
      p is how likely it is, were a sample no likelier to fall than to rise, that at least so many of those
      that changed fell: the exact one-sided test of McNemar. Each is for its own row; the more rows one looks
      at, the likelier that one of them is small by chance.
    </p>
    <h3>Samples that got worse</h3>
    <div data-table="worse"></div>
  </section>`;
}

/** What changed, in words: the worst case at each epsilon that both have. */
export function changesInWords({ before, groups }: Comparison): string {
  const worst = groups.filter(({ attack }) => attack === groups[0]!.attack);
  const { model } = before.run.plan;
  const each = worst.map(
    (group) =>
      `at ${short(group.epsilon)} ${share(group.after, group.shared)} instead of ${share(group.before, group.shared)} ` +
      `(${count(group.worse.length)} worse, ${count(group.better.length)} better, p = ${short(group.p, 2)})`,
  );
  return (
    `Against ${before.run.name} (${model.name}, SHA-256 ${model.sha256.slice(0, 12)}), robust accuracy on the ${count(worst[0]!.shared)} samples that both have, ` +
    `${worst[0]!.attack}: ${each.join('; ')}.`
  );
}

/** What became of a sample, in words. */
export const fateOf = ({ is }: Change, names: (id: number) => string): string =>
  is.verdict === 'broken'
    ? `broken, taken for ${names(is.adversarial)}`
    : `misclassified as ${names(is.clean)}`;

const share = (part: number, whole: number) => percent(whole === 0 ? null : part / whole);
const points = (change: number, whole: number) => {
  const value = whole === 0 ? 0 : (100 * change) / whole;
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value).toFixed(1)}`;
};
