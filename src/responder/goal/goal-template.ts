import { z } from 'zod';
import { nullIsAbsent, visibleText } from '../../http/index.js';
import { localLanguages } from './local-dates.js';
import { foldWords } from './folded-text.js';

export const slotKinds = ['text', 'number', 'date', 'time', 'email', 'phone', 'code', 'choice'] as const;
export type SlotKind = (typeof slotKinds)[number];

const slotName = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_]{0,63}$/,
    'must begin with a letter and contain up to 64 letters, digits and _',
  );

const templateType = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,63}$/, 'must begin with a letter and contain up to 64 of a-z, 0-9, _ and -');

const phrase = visibleText(100).refine((text) => foldWords(text) !== '', 'must contain letters or digits');

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time as HH:MM');

export const goalSlot = nullIsAbsent(
  z.strictObject({
    name: slotName,
    kind: z.enum(slotKinds).default('text'),
    prompt: visibleText(1000).meta({
      description: 'Question asked if the value is missing; may contain {slot} placeholders',
    }),
    reprompt: visibleText(1000)
      .optional()
      .meta({ description: 'Sent before the prompt if an answer did not match' }),
    options: z.array(phrase).min(1).max(50).optional().meta({ description: 'Allowed values of a choice' }),
    required: z
      .boolean()
      .default(true)
      .meta({ description: 'false: filled if a message contains the value, but never asked for' }),
    min: z.number().optional(),
    max: z.number().optional(),
    integer: z.boolean().default(false),
    earliest: timeOfDay.optional().meta({
      description: 'For a time: an hour without am or pm that would be earlier is taken as afternoon',
    }),
  }),
).superRefine((slot, context) => {
  const onlyFor = (field: keyof typeof slot, kind: SlotKind): void => {
    if (slot[field] !== undefined && slot[field] !== false && slot.kind !== kind)
      context.addIssue({
        code: 'custom',
        path: [field],
        message: `is only allowed for slots of kind "${kind}"`,
      });
  };
  onlyFor('options', 'choice');
  onlyFor('min', 'number');
  onlyFor('max', 'number');
  onlyFor('integer', 'number');
  onlyFor('earliest', 'time');
  if (slot.kind === 'choice' && slot.options === undefined)
    context.addIssue({ code: 'custom', path: ['options'], message: 'is required for a choice' });
  if (slot.kind === 'text' && !slot.required)
    context.addIssue({
      code: 'custom',
      path: ['required'],
      message: 'must be true for text, which is read only if asked for',
    });
  if (slot.min !== undefined && slot.max !== undefined && slot.min > slot.max)
    context.addIssue({ code: 'custom', path: ['min'], message: 'must not be greater than max' });
});
export type GoalSlot = z.output<typeof goalSlot>;

const placeholder = /\{([A-Za-z][A-Za-z0-9_]*)\}/g;

/** Replaces each {slot} with its value, or with nothing if it has none. */
export const fillPlaceholders = (text: string, slots: Readonly<Record<string, unknown>>): string =>
  text.replace(placeholder, (_whole, name: string) => {
    const value = slots[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  });

const unknownPlaceholders = (text: string, names: ReadonlySet<string>): string[] =>
  [...text.matchAll(placeholder)].map(([, name = '']) => name).filter((name) => !names.has(name));

export const goalTemplate = nullIsAbsent(
  z.strictObject({
    type: templateType,
    triggers: z.array(phrase).min(1).max(50).meta({
      description: 'Words or phrases that start the goal; case and diacritics do not matter',
    }),
    interrupts: z.boolean().default(false).meta({
      description: 'true: a trigger counts even in the answer to a free-text question',
    }),
    slots: z.array(goalSlot).max(30),
    completion: visibleText(4000).meta({
      description: 'Sent when no required value is missing; may contain {slot} placeholders',
    }),
  }),
).superRefine((template, context) => {
  const names = new Set(template.slots.map(({ name }) => name));
  if (names.size < template.slots.length)
    context.addIssue({ code: 'custom', path: ['slots'], message: 'must have unique names' });
  const check = (text: string, path: (string | number)[]): void => {
    for (const name of unknownPlaceholders(text, names))
      context.addIssue({ code: 'custom', path, message: `{${name}} is not a slot of this template` });
  };
  check(template.completion, ['completion']);
  template.slots.forEach(({ prompt }, index) => check(prompt, ['slots', index, 'prompt']));
});
export type GoalTemplate = z.output<typeof goalTemplate>;

export const goalResponderConfig = nullIsAbsent(
  z.strictObject({
    templates: z
      .array(goalTemplate)
      .min(1)
      .max(50)
      .refine(
        (templates) => new Set(templates.map(({ type }) => type)).size === templates.length,
        'types must be unique',
      ),
    fallback: visibleText(2000).meta({ description: 'Sent if no goal is active and no trigger was found' }),
    cancelPhrases: z.array(phrase).max(50).default(['cancel', 'stop', 'never mind', 'forget it']),
    cancelled: visibleText(1000).default('All right, I have dropped that.'),
    resumed: visibleText(1000).default('Back to where we were.'),
    language: z
      .enum(['en', ...localLanguages])
      .optional()
      .meta({ description: 'Language in which dates, times and numbers are read; en by default' }),
    timeZone: z
      .string()
      .max(64)
      .default('UTC')
      .refine(isTimeZone, 'must be an IANA time zone, for example Europe/Berlin')
      .meta({ description: 'Time zone in which words such as "tomorrow" are interpreted' }),
  }),
);
export type GoalResponderConfig = z.output<typeof goalResponderConfig>;

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
