import { fromJson } from "@bufbuild/protobuf";
import type { JsonValue } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { Value } from "@bufbuild/protobuf/wkt";

/** Returns JSON as a field wants it that takes any, such as a push's `customArgs`. Fields that take objects have them as they are. */
export function value(json: JsonValue): Value {
  return fromJson(ValueSchema, json);
}
