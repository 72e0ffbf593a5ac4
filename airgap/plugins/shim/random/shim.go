// Package shim opens the provider's internal package to this project.
package shim

import "github.com/terraform-providers/terraform-provider-random/internal/provider"

// New makes the Terraform provider.
var New = provider.New
