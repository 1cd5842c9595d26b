import { showProgress } from './progress.js';

const run = (terminal: boolean, already = 0) => {
  let [now, told] = [0, ''];
  const progress = showProgress(8, already, { write: (text) => (told += text), terminal, now: () => now });
  const advance = (to: number) => {
    now = to;
    progress.advance();
    const text = told;
    told = '';
    return text;
  };
  return { advance, end: () => (progress.end(), told) };
};

it('redraws a bar on a terminal and clears it', () => {
  const { advance, end } = run(true);
  expect(advance(2)).toBe('\r\x1b[K████░░░░░░░░░░░░░░░░░░░░░░░░░░ 12%, about 14.0 s left');
  expect(advance(8)).toBe('\r\x1b[K████████░░░░░░░░░░░░░░░░░░░░░░ 25%, about 24.0 s left');
  expect(end()).toBe('\r\x1b[K');
});

it('writes a line now and then elsewhere', () => {
  const { advance, end } = run(false);
  expect(advance(9)).toBe('');
  expect(advance(12)).toBe('gauntlet: 25%, 2 of 8 parts done, about 36.0 s left\n');
  expect(advance(13)).toBe('');
  expect(end()).toBe('');
});

it('takes the pace of this run, not of the one that it resumes', () => {
  expect(run(false, 6).advance(20)).toBe('gauntlet: 87%, 7 of 8 parts done, about 20.0 s left\n');
});
