package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

// A table tells the type of each property, also of nested objects, by the name
// that a program uses: "ports[].internal": "number!". The mark says that it
// must be given.
type table map[string]string

type properties struct {
	Inputs table `json:"inputs"`
	State  table `json:"state"`
}

// printProperties prints what the plugin understands, by the token of the
// resource, to be compared with the SDK: a property under another name would
// be ignored without a word.
func printProperties(p tfbridge.ProviderInfo) {
	all := map[string]properties{
		"pulumi:providers:" + p.Name: {inputs(p.P.Schema(), p.Config), state(p.P.Schema(), p.Config)},
	}
	for name, info := range p.Resources {
		schema := p.P.ResourcesMap().Get(name).Schema()
		all[string(info.Tok)] = properties{inputs(schema, info.Fields), state(schema, info.Fields)}
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(all); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// inputs are the properties that a program may set.
func inputs(schema shim.SchemaMap, infos fields) table {
	t := table{}
	t.addObject("", schema, infos, func(s shim.Schema, info *tfbridge.SchemaInfo) (mark string, listed bool) {
		if s.Required() && !(info != nil && info.HasDefault()) {
			return "!", true
		}
		return "", s.Required() || s.Optional()
	})
	return t
}

// state is all properties.
func state(schema shim.SchemaMap, infos fields) table {
	t := table{}
	t.addObject("", schema, infos, func(shim.Schema, *tfbridge.SchemaInfo) (mark string, listed bool) {
		return "", true
	})
	delete(t, "id") // every resource has one, so no SDK lists it
	return t
}

type selection func(shim.Schema, *tfbridge.SchemaInfo) (mark string, listed bool)

func (t table) addObject(path string, schema shim.SchemaMap, infos fields, selected selection) {
	schema.Range(func(name string, s shim.Schema) bool {
		if mark, listed := selected(s, infos[name]); listed && s.Removed() == "" {
			property := path + tfbridge.TerraformToPulumiNameV2(name, schema, infos)
			t[property] = t.add(property, s, infos[name], selected) + mark
		}
		return true
	})
}

// add returns the type of a property, after adding the properties of the objects that it holds.
func (t table) add(path string, s shim.Schema, info *tfbridge.SchemaInfo, selected selection) string {
	suffix := ""
	switch s.Type() {
	case shim.TypeBool:
		return "boolean"
	case shim.TypeInt, shim.TypeFloat:
		return "number"
	case shim.TypeString:
		return "string"
	case shim.TypeList, shim.TypeSet:
		if !tfbridge.IsMaxItemsOne(s, info) {
			suffix = "[]"
		}
	case shim.TypeMap:
		if _, object := s.Elem().(shim.Resource); !object {
			suffix = "{}"
		}
	default:
		return "any"
	}

	var element *tfbridge.SchemaInfo
	if info != nil {
		element = info.Elem
	}
	switch elem := s.Elem().(type) {
	case shim.Schema:
		return t.add(path+suffix, elem, element, selected) + suffix
	case shim.Resource:
		var infos fields
		if element != nil {
			infos = element.Fields
		}
		t.addObject(path+suffix+".", elem.Schema(), infos, selected)
		return "object" + suffix
	default:
		return "string" + suffix
	}
}
