import { type Row, runOf, shortName } from '@gauntlet/core';
import type { Run } from './read-run.js';

/** The attack of a row, with what it was crafted on where that is not the system under test. */
export const nameOf = (row: Pick<Row, 'attack' | 'surrogate'>): string => shortName(runOf(row));

/** What classes are called: by the names that a run knows, or by their ids. */
export const classNames =
  ({ classes = [] }: Pick<Run, 'classes'>) =>
  (id: number): string =>
    id < 0 ? 'none' : (classes[id] ?? String(id));
