import type { AttributeValue } from '@aws-sdk/client-dynamodb';

/** Collects the names and values that an expression of DynamoDB stands for: no name can be a reserved word then. */
export interface Expression {
  /** The place of an attribute's name. */
  name(attribute: string): string;
  /** The place of a value. */
  value(value: AttributeValue): string;
  /** `#a IN (:1, :2)`. */
  oneOf(attribute: string, values: readonly AttributeValue[]): string;
  /** What stands behind the places; the last thing to ask for. */
  parts(): {
    ExpressionAttributeNames?: Record<string, string>;
    ExpressionAttributeValues?: Record<string, AttributeValue>;
  };
}

export function createExpression(): Expression {
  const names: Record<string, string> = {};
  const values: Record<string, AttributeValue> = {};
  const expression: Expression = {
    name(attribute) {
      names[`#${attribute}`] = attribute;
      return `#${attribute}`;
    },
    value(value) {
      const place = `:v${Object.keys(values).length}`;
      values[place] = value;
      return place;
    },
    oneOf: (attribute, options) =>
      `${expression.name(attribute)} IN (${options.map((option) => expression.value(option)).join(', ')})`,
    parts: () => ({
      ...(Object.keys(names).length > 0 && { ExpressionAttributeNames: names }),
      ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
    }),
  };
  return expression;
}
