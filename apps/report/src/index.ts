/** The results of a run, for people: one page that needs no network, or text for a pull request or a model card. */
export { type Gallery, type Piece, readGallery } from './gallery.js';
export { renderMarkdown } from './markdown.js';
export { renderModelCard } from './model-card.js';
export { type Beside, renderPage } from './page.js';
export { readRun, type Run } from './read-run.js';
export { readTrend, renderTrend, renderTrendMarkdown } from './trend.js';
