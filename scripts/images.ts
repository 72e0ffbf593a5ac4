// Prints the image references that a stack's settings name, one a line: tsx scripts/images.ts STACK
import { ownSettings } from "../settings/configuration";
import { configurationOf, project } from "./pulumi";

const [stack = ""] = process.argv.slice(2);
const { registryImage, proxyImage } = ownSettings(project, configurationOf(stack));
console.log(registryImage);
console.log(proxyImage);
