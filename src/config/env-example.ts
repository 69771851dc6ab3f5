import type { SettingDefinition } from './setting-definition.js';
import { definitionsOf, groupNames } from './settings.schema.js';

const describe = (name: string, { about, unit, default: value }: SettingDefinition): string =>
  [`# ${about}${unit ? ` In ${unit}.` : ''}`, value === undefined ? `#${name}=` : `${name}=${value}`].join(
    '\n',
  );

/** The text of `.env.example`: every setting with its purpose, unit and default. */
export function renderEnvExample(): string {
  const head =
    '# Every setting of Colloquy with its default. Copy to .env and change what you need; a variable of the environment wins\n' +
    '# over .env. Made by `npm run settings:example`.\n';
  const groups = groupNames.map(
    (group) =>
      `\n# --- ${group} ---\n\n` +
      definitionsOf(group)
        .map(([name, definition]) => describe(name, definition))
        .join('\n\n') +
      '\n',
  );
  return head + groups.join('');
}
