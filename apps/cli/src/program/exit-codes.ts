/** The exit codes, for help texts. */
export const EXIT_CODES = `
Exit codes:
  0    the command did what it was asked; the gate passed
  1    the gate failed: a threshold is missed
  2    bad input: the message says what was found, what was expected and what to do;
       or doctor found a problem
  3    the gate is inconclusive: what was run is not what the baseline holds, or not all of it
  70   a defect in Gauntlet or in a plugin
  130  interrupted; run the same command with the same --out to go on`;
