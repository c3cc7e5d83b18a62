import type { JsonObject } from "./json.ts";
import type { Schema } from "./schema.ts";

/** The JSON Schema (draft 2020-12) of a configuration, for editors and for `plumb`'s own checks. */
export function toJsonSchema(schema: Schema<unknown>): JsonObject {
  const { shape } = schema;
  switch (shape.kind) {
    case "string":
      return described(
        { type: "string", ...(shape.pattern && { pattern: shape.pattern.source }) },
        shape.expected,
      );
    case "parsed":
      return described({ type: "string" }, shape.expected);
    case "boolean":
      return { type: "boolean" };
    case "integer": {
      const { min, max } = shape;
      return {
        type: "integer",
        ...(min !== undefined && { minimum: min }),
        ...(max !== undefined && { maximum: max }),
      };
    }
    case "oneOf":
      return { enum: shape.values };
    case "array":
      return { type: "array", items: toJsonSchema(shape.of) };
    case "object": {
      const fields = Object.entries(shape.fields);
      const required = fields.filter(([, field]) => field.shape.kind !== "optional").map(([name]) => name);
      return {
        type: "object",
        properties: Object.fromEntries(fields.map(([name, field]) => [name, toJsonSchema(field)])),
        ...(required.length > 0 && { required }),
      };
    }
    case "dictionary":
      return { type: "object", additionalProperties: toJsonSchema(shape.of) };
    case "optional": {
      const { fallback } = shape;
      return { ...toJsonSchema(shape.of), ...(fallback !== undefined && { default: fallback }) };
    }
    case "anything":
      return {};
  }
}

function described(schema: JsonObject, expected: string | undefined): JsonObject {
  return expected === undefined ? schema : { ...schema, description: expected };
}
