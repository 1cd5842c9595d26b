/** The results of a run, for people: one page that needs no network. */
export { renderPage } from './page.js';
export { readRun, type Run } from './read-run.js';
