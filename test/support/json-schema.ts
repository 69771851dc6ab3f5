/** The parts of a JSON schema that the suites read. */
export interface JsonSchema {
  type?: string;
  example?: unknown;
  default?: unknown;
  enum?: unknown[];
  pattern?: string;
  format?: string;
  minimum?: number;
  maxLength?: number;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  additionalProperties?: unknown;
}

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  schema: JsonSchema;
}

export interface Operation {
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: JsonSchema }> };
}

/** The parts of an OpenAPI document that the suites read. */
export interface ApiDocument {
  paths: Record<string, Record<string, Operation>>;
}

/** The schema itself, or the one of its alternatives that is not null. */
export const structureOf = (schema: JsonSchema): JsonSchema =>
  schema.anyOf?.find(({ type }) => type !== 'null') ?? schema;

export const bodySchemaOf = ({ requestBody }: Operation): JsonSchema | undefined =>
  Object.values(requestBody?.content ?? {})[0]?.schema;

/** A member of a body at any depth; in its path, 0 stands for the items of an array. */
export interface Field {
  path: readonly string[];
  schema: JsonSchema;
}

/** All members, outer ones first. */
export function* fieldsOf(schema: JsonSchema, path: readonly string[] = []): Generator<Field> {
  const { properties, items } = structureOf(schema);
  if (path.length > 0) yield { path, schema: structureOf(schema) };
  if (items) yield* fieldsOf(items, [...path, '0']);
  for (const [name, member] of Object.entries(properties ?? {})) yield* fieldsOf(member, [...path, name]);
}
