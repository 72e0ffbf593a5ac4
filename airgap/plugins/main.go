// Command plugins is every resource plugin that the program needs, in one
// file. The name that it is run by chooses one: pulumi-resource-docker,
// pulumi-resource-random or pulumi-resource-tls.
//
// The Terraform providers do the work and Pulumi's bridge serves them, as in
// the official plugins. What is set here are the few names and habits in which
// those differ from what the bridge makes by itself.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	tls "github.com/hashicorp/terraform-provider-tls/shim"
	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	docker "github.com/terraform-providers/terraform-provider-docker/shim"
	random "github.com/terraform-providers/terraform-provider-random/shim"
)

type (
	fields    = map[string]*tfbridge.SchemaInfo
	resources = map[string]*tfbridge.ResourceInfo
	sources   = map[string]*tfbridge.DataSourceInfo
)

// versions says which version of each npm package is served: "docker 5.2.0", a line each.
//
//go:embed versions
var versions string

func main() {
	name := strings.TrimPrefix(filepath.Base(os.Args[0]), "pulumi-resource-")
	p := tfbridge.ProviderInfo{
		Name:         name,
		Version:      versionOf(name),
		MetadataInfo: tfbridge.NewProviderMetadata(nil),
	}
	prefix := ""      // put before the name of every resource
	framework := true // made with Terraform's plugin framework, else with its older SDK

	switch name {
	case "docker":
		framework = false
		setUpDocker(&p)
	case "random":
		prefix = "Random"
		setUpRandom(&p)
	case "tls":
		p.P = pf.ShimProvider(tls.New())
		p.EnableZeroDefaultSchemaVersion = true
		p.EnableAccurateBridgePreview = true
	default:
		fmt.Fprintf(os.Stderr, "%s: not the name of a plugin; served here:\n%s", name, versions)
		os.Exit(2)
	}
	p.MustComputeTokens(tokens.SingleModule(name+"_", "index", func(module, member string) (string, error) {
		return tokens.MakeStandard(name)(module, prefix+member)
	}))
	if !framework {
		p.SetAutonaming(255, "-")
	}

	switch {
	case len(os.Args) == 2 && os.Args[1] == "-properties":
		printProperties(p)
	case framework:
		// No schema is asked for when a program runs: its SDK has the names.
		schema := fmt.Sprintf(`{"name":%q}`, name)
		pf.Main(context.Background(), name, p, pf.ProviderMetadata{PackageSchema: []byte(schema)})
	default:
		tfbridge.Main(name, p.Version, p, nil)
	}
}

func versionOf(name string) string {
	for line := range strings.Lines(versions) {
		if words := strings.Fields(line); len(words) == 2 && words[0] == name {
			return words[1]
		}
	}
	return ""
}

func setUpDocker(p *tfbridge.ProviderInfo) {
	p.P = sdkv2.NewProvider(docker.New(p.Version)())
	p.Config = fields{
		"host": {Default: &tfbridge.DefaultInfo{
			EnvVars: []string{"DOCKER_HOST"}, Value: "unix:///var/run/docker.sock",
		}},
		"registry_auth": {Name: "registryAuth", MaxItemsOne: tfbridge.False()},
	}
	p.Resources = resources{
		"docker_config": {Tok: "docker:index/serviceConfig:ServiceConfig"},
		"docker_container": {
			DeleteBeforeReplace: true, // two containers can't have one name
			Fields: fields{
				"command":           {Name: "command"},
				"networks_advanced": {Name: "networksAdvanced"},
			},
		},
		"docker_image": {
			Tok:    "docker:index/remoteImage:RemoteImage",
			Fields: fields{"name": {Name: "name"}}, // said by the user, never made up
		},
	}
	p.DataSources = sources{"docker_image": {Tok: "docker:index/getRemoteImage:getRemoteImage"}}
}

func setUpRandom(p *tfbridge.ProviderInfo) {
	p.P = pf.ShimProvider(random.New())
	p.EnableAccurateBridgePreview = true
	p.EnableRawStateDelta = true
	p.Resources = resources{"random_bytes": {ComputeID: bytesID}}
}

// bytesID is the bytes themselves, as in the official plugin: Terraform's resource has no id.
// So they stand in clear in the state; a secret is better made by RandomPassword.
func bytesID(_ context.Context, state resource.PropertyMap) (resource.ID, error) {
	value := state["base64"]
	if value.IsSecret() {
		value = value.SecretValue().Element
	}
	if !value.IsString() {
		return "", errors.New("random_bytes: its state has no base64")
	}
	return resource.ID(value.StringValue()), nil
}
