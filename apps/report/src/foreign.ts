import { unexpected } from '@gauntlet/core';

/** What is said of a folder that holds no run, or a damaged one. */
export const foreign = (found: string, at: string): Error =>
  unexpected({
    found,
    at,
    expected: 'the folder of a run, with results in it',
    remedy: 'Name a folder that gauntlet audit wrote, or go on with its run first.',
  });
