/** The results of a run, for people: one page that needs no network, or text for a pull request or a model card. */
export { type Findings, type Point, type Series } from './findings.js';
export { type Gallery, type Piece, readGallery } from './gallery.js';
export { renderMarkdown } from './markdown.js';
export { renderModelCard } from './model-card.js';
export { type Layout } from './picture.js';
export { type Beside, renderPage } from './page.js';
export { readRun, type Run } from './read-run.js';
export { type Planned } from './run-schema.js';
export { readTrend, renderTrend, renderTrendMarkdown, type Trend } from './trend.js';
