import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync, Visitor } from 'rolldown/utils';

/** The project's files as the architecture test sees them: parsed, with paths relative to the root and slashes. */

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

export interface SourceFile {
  path: string;
  text: string;
  imports: Import[];
  /** Lines (from 1) that read the environment of the process. */
  environmentReads: number[];
}

export interface Import {
  /** As written. */
  specifier: string;
  /** For a relative one: the file it means, from the root; null for a package. */
  target: string | null;
  kind: 'value' | 'type' | 'dynamic';
}

export function filesBelow(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
    .sort();
}

/** TypeScript files below a folder without their tests. */
export const sourcesBelow = (folder: string): SourceFile[] =>
  filesBelow(folder)
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path) => parseSource(path, readFileSync(join(ROOT, path), 'utf8')));

export function parseSource(path: string, text: string): SourceFile {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  const imports: Import[] = [];
  const environmentReads: number[] = [];
  const add = (specifier: string, kind: Import['kind']): void => {
    const target = specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : null;
    imports.push({ specifier, target, kind });
  };
  const readsEnvironment = (offset: number): void => {
    environmentReads.push(text.slice(0, offset).split('\n').length);
  };

  new Visitor({
    ImportDeclaration(node) {
      add(node.source.value, node.importKind === 'type' ? 'type' : 'value');
      const namesEnv = node.specifiers.some(
        (specifier) =>
          specifier.type === 'ImportSpecifier' &&
          specifier.imported.type === 'Identifier' &&
          specifier.imported.name === 'env',
      );
      if (/^(node:)?process$/.test(node.source.value) && namesEnv) readsEnvironment(node.start);
    },
    ExportNamedDeclaration(node) {
      if (node.source) add(node.source.value, node.exportKind === 'type' ? 'type' : 'value');
    },
    ExportAllDeclaration(node) {
      add(node.source.value, node.exportKind === 'type' ? 'type' : 'value');
    },
    ImportExpression(node) {
      if (node.source.type === 'Literal' && typeof node.source.value === 'string') {
        add(node.source.value, 'dynamic');
      }
    },
    TSImportType(node) {
      add(node.source.value, 'type');
    },
    MemberExpression(node) {
      const named = node.computed
        ? node.property.type === 'Literal' && node.property.value === 'env'
        : node.property.type === 'Identifier' && node.property.name === 'env';
      const ofProcess =
        (node.object.type === 'Identifier' && node.object.name === 'process') ||
        (node.object.type === 'MemberExpression' &&
          node.object.property.type === 'Identifier' &&
          node.object.property.name === 'process');
      if (named && ofProcess) readsEnvironment(node.start);
    },
    VariableDeclarator(node) {
      if (node.init?.type !== 'Identifier' || node.init.name !== 'process') return;
      if (node.id.type !== 'ObjectPattern') return;
      const takesEnv = node.id.properties.some(
        (property) =>
          property.type === 'Property' && property.key.type === 'Identifier' && property.key.name === 'env',
      );
      if (takesEnv) readsEnvironment(node.start);
    },
  }).visit(program);

  return { path, text, imports, environmentReads };
}
