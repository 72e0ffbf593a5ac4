// Package shim opens the provider's internal package to this project.
package shim

import "github.com/hashicorp/terraform-provider-tls/internal/provider"

// New makes the Terraform provider.
var New = provider.New
