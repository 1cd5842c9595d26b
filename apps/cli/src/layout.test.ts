import { wrap } from './layout.js';

it('wraps between words, and leaves long words whole', () => {
  const word = 'x'.repeat(60);
  expect(wrap(`${word} ${word} a ${'y'.repeat(150)} b`, '  ')).toEqual([
    `  ${word}`,
    `  ${word} a`,
    `  ${'y'.repeat(150)}`,
    '  b',
  ]);
});
