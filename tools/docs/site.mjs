// A plugin of typedoc: packages are named and described by their own manifests and READMEs, pages by their first heading.
import { readFileSync, readdirSync, renameSync } from 'node:fs';
import { dirname, join, relative } from 'node:path/posix';
import {
  Application,
  Comment,
  CommentTag,
  Converter,
  makeRecursiveVisitor,
  MinimalSourceFile,
  normalizePath,
  PageEvent,
  ReflectionKind,
  RendererEvent,
  StructureRouter,
} from 'typedoc';

const ROOT = join(normalizePath(import.meta.dirname), '../..');
const text = (path) => readFileSync(path, 'utf8');
const json = (path) => JSON.parse(text(path));

const KINDS = {
  attack: 'Attacks',
  defence: 'Defences',
  detector: 'Detectors',
  certifier: 'Certifiers',
  dataset: 'Data sets',
  metric: 'Metrics',
  adapter: 'Adapters',
};

/** The headings of the navigation, in order. */
export const GROUPS = [
  ...['Guide', 'Coming from another library', ...Object.values(KINDS)],
  ...['Packages', 'Project', 'Decisions'],
];

/** Called by typedoc. */
export function load(app) {
  const { converter } = app;

  app.renderer.defineRouter('paths', PathRouter);

  converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, page) => {
    const path = pathOf(page);
    page.name = /^# (.*)$/m.exec(text(join(ROOT, path)))[1].replaceAll('`', '');
    page.frontmatter.group = groupOf(path);
    register(page, path);
  });

  converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getChildrenByKind(ReflectionKind.Module)) {
      const [, folder, entry] = /^(.*)\/src\/?(.*)$/.exec(module.name);
      const { name, version, description } = json(join(ROOT, folder, 'package.json'));
      module.name = join(name, entry);
      module.comment = new Comment(said(`Version ${version}`), [
        new CommentTag('@summary', said(description)),
        new CommentTag('@group', said(kindOf(name))),
      ]);
      if (entry !== '') continue;
      const path = join(folder, 'README.md');
      // The name stands above it already.
      const page = new MinimalSourceFile(text(join(ROOT, path)).replace(/^# .*\n/, ''), join(ROOT, path));
      module.readme = converter.parseRawComment(page, project.files).content;
      register(module, path);
    }
  });

  // What typedoc checks itself is the exports of one package, and this project has many.
  app.on(Application.EVENT_VALIDATE_PROJECT, (project) => {
    const ours = new Set(app.options.getValue('packagesRequiringDocumentation'));
    for (const owner of Object.values(project.reflections)) {
      const reference = (type) => {
        if (type.reflection !== undefined || !ours.has(type.package) || type.isIntentionallyBroken()) return;
        app.logger.validationWarning(
          `Unexpected ${type.qualifiedName} of ${type.package} at ${owner.getFriendlyFullName()}, expected a type that is exported. Export it.`,
        );
      };
      owner.type?.visit(makeRecursiveVisitor({ reference }));
    }
  });

  // Browsers take .ts for a film, and show .txt.
  app.renderer.on(PageEvent.END, (page) => {
    page.contents = page.contents?.replace(/(media\/[^"#]*\.ts)(?=["#])/g, '$1.txt');
  });
  const afterCopying = -1;
  app.renderer.on(
    RendererEvent.END,
    ({ outputDirectory }) => {
      const media = join(outputDirectory, 'media');
      for (const name of readdirSync(media))
        if (name.endsWith('.ts')) renameSync(join(media, name), join(media, `${name}.txt`));
    },
    afterCopying,
  );
}

/** Pages lie in the site as they do in the repository, packages under their names. */
class PathRouter extends StructureRouter {
  getIdealBaseName(reflection) {
    return reflection.isDocument()
      ? pathOf(reflection).replace(/\.md$/, '')
      : super.getIdealBaseName(reflection);
  }
}

const pathOf = (page) => relative(ROOT, page.project.files.getReflectionPath(page));

/** Links to a path lead to what it is shown as; a README stands for its folder. */
function register(reflection, path) {
  const { files } = reflection.project;
  files.registerReflectionPath(join(ROOT, path), reflection);
  if (path.endsWith('/README.md')) files.registerReflectionPath(dirname(join(ROOT, path)), reflection);
}

const said = (words) => [{ kind: 'text', text: words }];

const kindOf = (name) => KINDS[/\/(\w+)-/.exec(name)?.[1]] ?? 'Packages';

function groupOf(path) {
  if (path.startsWith('docs/decisions/')) return 'Decisions';
  if (path.startsWith('docs/from-')) return 'Coming from another library';
  if (path.startsWith('docs/guide/') || path === 'docs/tutorial.md') return 'Guide';
  return 'Project';
}
