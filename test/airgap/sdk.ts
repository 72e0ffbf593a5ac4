import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

import ts from "typescript";

/** The type of each property, also of nested objects, by its name: `"ports[].internal": "number!"`; `!` = must be given. */
export type Table = Record<string, string>;

export interface Properties {
  readonly inputs: Table;
  readonly state: Table;
}

/** An SDK in node_modules, such as `@pulumi/docker`. */
export class Sdk {
  private readonly folder: string;
  private readonly classes: Record<string, unknown>;
  readonly plugin: { readonly name: string; readonly version: string };

  constructor(name: string) {
    const load = createRequire(join(process.cwd(), "package.json"));
    this.folder = dirname(load.resolve(`${name}/package.json`));
    this.classes = load(name) as Record<string, unknown>;
    this.plugin = (load(`${name}/package.json`) as { pulumi: Sdk["plugin"] }).pulumi;
  }

  /** The token that a resource of this class is registered by. */
  token(name: string): string {
    const { __pulumiType: token } = this.classes[name] as { __pulumiType: string };
    return name === "Provider" ? `pulumi:providers:${token}` : token;
  }

  /** The input names that the constructor of this class really sends. */
  sent(name: string): string[] {
    const constructor = String(this.classes[name]);
    return [...constructor.matchAll(/resourceInputs\["(\w+)"\] = .*\bargs\?\./g)].map(([, property = ""]) => property);
  }

  /** What the declarations of this class say. */
  properties(name: string): Properties {
    const declarations = this.interfacesOf(`${name.charAt(0).toLowerCase()}${name.slice(1)}.d.ts`);
    const table = (declaration: string, marked: boolean): Table => {
      const properties = declarations.get(declaration);
      const lines = {};
      if (properties) this.addObject(lines, "", properties, marked);
      return lines;
    };
    return { inputs: table(`${name}Args`, true), state: table(`${name}State`, false) };
  }

  private interfacesOf(file: string): Map<string, ts.InterfaceDeclaration> {
    const path = join(this.folder, file);
    const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
    return new Map(source.statements.filter(ts.isInterfaceDeclaration).map((found) => [found.name.text, found]));
  }

  private addObject(lines: Table, path: string, { members }: ts.InterfaceDeclaration, marked: boolean): void {
    for (const member of members.filter(ts.isPropertySignature)) {
      if (!member.type) continue;
      const property = path + member.name.getText();
      const mark = marked && !member.questionToken ? "!" : "";
      lines[property] = this.add(lines, property, member.type, marked) + mark;
    }
  }

  /** Returns the type of a property, after adding the properties of the objects that it holds. */
  private add(lines: Table, path: string, type: ts.TypeNode, marked: boolean): string {
    if (ts.isUnionTypeNode(type)) {
      const [defined, ...others] = type.types.filter(({ kind }) => kind !== ts.SyntaxKind.UndefinedKeyword);
      if (defined && others.length === 0) return this.add(lines, path, defined, marked);
    } else if (ts.isArrayTypeNode(type)) {
      return `${this.add(lines, `${path}[]`, type.elementType, marked)}[]`;
    } else if (ts.isTypeLiteralNode(type)) {
      const [member] = type.members;
      if (member && ts.isIndexSignatureDeclaration(member))
        return `${this.add(lines, `${path}{}`, member.type, marked)}{}`;
    } else if (ts.isTypeReferenceNode(type)) {
      const name = type.typeName.getText();
      const [argument] = type.typeArguments ?? [];
      if (name === "pulumi.Input" && argument) return this.add(lines, path, argument, marked);
      const object = name.startsWith("inputs.") && this.interfacesOf("types/input.d.ts").get(name.slice(7));
      if (object) {
        this.addObject(lines, `${path}.`, object, marked);
        return "object";
      }
    }
    return type.getText();
  }
}
