import { type Row, runOf, shortName } from '@gauntlet/core';

/** The attack of a row, with what it was crafted on where that is not the system under test. */
export const nameOf = (row: Pick<Row, 'attack' | 'surrogate'>): string => shortName(runOf(row));

/** A class id, for people. */
export const className = (id: number): string => (id < 0 ? 'none' : String(id));
