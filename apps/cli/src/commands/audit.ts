import pc from 'picocolors';
import { createPlugins } from '../plugins.js';
import type { AuditRequest } from '../request.js';
import { runAudit } from '../run-audit.js';
import type { Terminal } from '../terminal.js';
import { renderVerdict } from '../verdict.js';

/** Runs `gauntlet audit`: checks everything, attacks, and publishes the verdict. */
export async function audit(request: AuditRequest, version: string, terminal: Terminal): Promise<void> {
  const plugins = createPlugins(terminal.cwd);
  // Apart from the others: they decide no row, so that a finished run can be measured again.
  const metrics = await Promise.all(request.metrics.map(createPlugins(terminal.cwd).metric));
  const { verdict, folder, files } = await runAudit(request, { plugins, metrics, version }, terminal);
  const paint = pc.createColors(terminal.interactive.out && pc.isColorSupported);
  terminal.out(
    request.json
      ? `${JSON.stringify(verdict, null, 2)}\n`
      : `${renderVerdict(verdict, request.epsilons, paint)}\n\nFiles: ${folder} (${files.join(', ')})\n`,
  );
}
