import { moto } from '../../../test/aws/harness.ts';
import { storesOnDynamoDb } from '../../../test/aws/stores-on-dynamodb.ts';

storesOnDynamoDb(moto);
