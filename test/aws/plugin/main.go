// Command plugin is a resource plugin for AWS: what this project uses of it,
// under the names of the npm package @pulumi/aws.
//
// The Terraform provider does the work and Pulumi's bridge serves it, as in
// the official plugin. What is set here are the few names in which that
// differs from what the bridge makes by itself.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-provider-aws/xpprovider"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	tok "github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// version is that of the npm package. It is set when this is built.
var version string

type (
	fields = map[string]*tfbridge.SchemaInfo

	// thing says how the npm package calls a type of Terraform.
	thing struct {
		module, name string
		fields       fields
	}
)

var resources = map[string]thing{
	"aws_ebs_volume":        {"ebs", "Volume", nil},
	"aws_eip":               {"ec2", "Eip", nil},
	"aws_eip_association":   {"ec2", "EipAssociation", nil},
	"aws_iam_access_key":    {"iam", "AccessKey", nil},
	"aws_iam_user":          {"iam", "User", nil},
	"aws_iam_user_policy":   {"iam", "UserPolicy", nil},
	"aws_instance":          {"ec2", "Instance", nil},
	"aws_key_pair":          {"ec2", "KeyPair", fields{"key_name": tfbridge.AutoName("keyName", 255, "-")}},
	"aws_route53_record":    {"route53", "Record", fields{"name": {Name: "name"}}}, // said by the user, never made up
	"aws_security_group":    {"ec2", "SecurityGroup", fields{"ingress": {Name: "ingress"}, "egress": {Name: "egress"}}},
	"aws_volume_attachment": {"ec2", "VolumeAttachment", nil},
}

var dataSources = map[string]thing{
	"aws_ec2_instance_type":           {"ec2", "getInstanceType", nil},
	"aws_ec2_instance_type_offerings": {"ec2", "getInstanceTypeOfferings", nil},
	"aws_instances":                   {"ec2", "getInstances", nil},
	"aws_route53_zone":                {"route53", "getZone", nil},
	"aws_ssm_parameter":               {"ssm", "getParameter", nil},
	"aws_subnet":                      {"ec2", "getSubnet", nil},
	"aws_subnets":                     {"ec2", "getSubnets", nil},
	"aws_vpc":                         {"ec2", "getVpc", nil},
}

func main() {
	// All that is used here is made with Terraform's older SDK; what is made with its framework is left out.
	_, provider, err := xpprovider.GetProvider(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	p := tfbridge.ProviderInfo{
		Name:         "aws",
		Version:      version,
		P:            sdkv2.NewProvider(provider),
		MetadataInfo: tfbridge.NewProviderMetadata(nil),
		Config: fields{
			"region": {Default: &tfbridge.DefaultInfo{EnvVars: []string{"AWS_REGION", "AWS_DEFAULT_REGION"}}},
		},
		Resources:   map[string]*tfbridge.ResourceInfo{},
		DataSources: map[string]*tfbridge.DataSourceInfo{},

		EnableAccurateBridgePreview: true,
	}
	for name, t := range resources {
		p.Resources[name] = &tfbridge.ResourceInfo{Tok: tok.Type(t.token()), Fields: t.fields}
	}
	for name, t := range dataSources {
		p.DataSources[name] = &tfbridge.DataSourceInfo{Tok: tok.ModuleMember(t.token()), Fields: t.fields}
	}
	p.SetAutonaming(255, "-")
	tfbridge.Main(p.Name, version, p, nil)
}

func (t thing) token() string {
	token, err := tokens.MakeStandard("aws")(t.module, t.name)
	if err != nil {
		panic(err)
	}
	return token
}
