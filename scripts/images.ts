// Prints the image references that a stack's settings name, one a line: tsx scripts/images.ts STACK
import { settingsOf } from "./pulumi";

const [stack = ""] = process.argv.slice(2);
const { registryImage, proxyImage } = settingsOf(stack);
console.log(registryImage);
console.log(proxyImage);
