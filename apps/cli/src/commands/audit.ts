import pc from 'picocolors';
import { metricsOf } from '../metrics.js';
import { createPlugins } from '../plugins.js';
import type { AuditRequest } from '../request.js';
import { runAudit } from '../run-audit.js';
import type { Terminal } from '../terminal.js';
import { renderVerdict } from '../verdict.js';

/** Runs `gauntlet audit`: checks everything, attacks, and publishes the verdict. */
export async function audit(request: AuditRequest, version: string, terminal: Terminal): Promise<void> {
  const plugins = createPlugins(terminal.cwd);
  const metrics = await metricsOf(request.metrics, terminal.cwd);
  const { verdict, folder, files } = await runAudit(request, { plugins, metrics, version }, terminal);
  const paint = pc.createColors(terminal.interactive.out && pc.isColorSupported);
  terminal.out(
    request.json
      ? `${JSON.stringify(verdict, null, 2)}\n`
      : `${renderVerdict(verdict, request.epsilons, paint)}\n\nFiles: ${folder} (${files.join(', ')})\n`,
  );
}
