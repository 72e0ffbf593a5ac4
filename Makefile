# make up      a working registry        make help   everything else
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The stack that the commands are about: its settings are in Pulumi.$(STACK).yaml.
STACK ?= dev1

# What every command that runs Pulumi needs: the tools, the stack, and the environment to reach both.
pulumi_env := eval "$$(scripts/env)"
engine_env := eval "$$(node_modules/.bin/tsx scripts/engine-env.ts $(STACK))"
# The same for a command that asks a stack, and says so where there is none.
stack_env := $(pulumi_env); scripts/need-stack $(STACK)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { gsub(/[$$][$$]/, "$$"); printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  STACK=$(STACK) chooses the stack."

.PHONY: up
up: tools ## set everything up, then prove that the registry works
	@scripts/with-lock scripts/up $(STACK)

.PHONY: preview
preview: tools ## show what `make up` would change
	@scripts/with-lock scripts/stack $(STACK)
	@$(pulumi_env); pulumi preview --stack $(STACK) --diff --policy-pack policy/pack

.PHONY: destroy
destroy: tools ## take the registry down; the pushed images stay
	@scripts/with-lock scripts/down $(STACK)

.PHONY: purge
purge: tools ## take the registry down for good, with all that was pushed
	@scripts/with-lock scripts/down $(STACK) --purge

.PHONY: login
login: tools ## sign the docker client in as the first user
	@$(stack_env); node_modules/.bin/tsx scripts/login.ts $(STACK)

.PHONY: passwords
passwords: tools ## print the users' passwords, which are secret
	@$(stack_env); node_modules/.bin/tsx scripts/passwords.ts $(STACK)

.PHONY: ca
ca: tools ## write the authority that clients must trust to ca.crt, or FILE=…
	@$(stack_env); node_modules/.bin/tsx scripts/ca.ts $(STACK)

.PHONY: smoke
smoke: tools ## prove that the live registry works
	@$(stack_env); $(engine_env); node_modules/.bin/tsx scripts/smoke.ts $(STACK)

.PHONY: ssh
ssh: tools ## sign in to the stack's machine
	@$(stack_env); $(engine_env); [ -n "$$MACHINE" ] || { echo "Stack $(STACK) has no machine to sign in to; one in a cloud is made by: make up STACK=$(STACK)" >&2; exit 1; }; ssh -t "$$MACHINE" || [ $$? != 255 ]

.PHONY: logs
logs: tools ## show what the containers say
	@$(stack_env); $(engine_env); scripts/logs $(STACK)

.PHONY: env
env: packages ## print the environment for plain `pulumi …`: eval "$$(make -s env)"
	@scripts/env

.PHONY: doctor
doctor: ## name what is missing
	@scripts/doctor

.PHONY: images
images: tools ## get or build the images that the stack names
	@scripts/with-lock scripts/stack $(STACK)
	@$(pulumi_env); $(engine_env); [ "$$ENGINE" != local ] || scripts/ensure-engine; scripts/ensure-images $$(node_modules/.bin/tsx scripts/images.ts $(STACK))

# Its words are for people: what `make env` prints is eval'd.
npm_ci := npm ci --no-audit --no-fund --loglevel=error >&2

.PHONY: tools
tools: packages
	@scripts/install-tools

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
check: clouds ## type-check, lint, format, check the workflows
	@npm run --silent check
	@scripts/check-workflows

.PHONY: test
test: check tools ## quick tests, then the real engine, Docker, clients and clouds
	@scripts/test

.PHONY: test-long
test-long: check tools ## the same, and what it leaves out: each kill alone, and all of it in each cloud
	@MATRIX=whole scripts/test

.PHONY: test-airgap
test-airgap: tools ## the plugins built by airgap/, against the SDKs
	@node_modules/.bin/mocha "test/airgap/*.test.ts"

.PHONY: test-remote
test-remote: clouds tools ## machines in a cloud, killed runs too, as root on Linux (25 minutes)
	@scripts/test "test/remote/*.test.ts"

.PHONY: test-aws
test-aws: clouds tools ## what AWS is asked for, by its real plugin, of an AWS in memory (7 minutes, 10 more the first time)
	@node_modules/.bin/mocha --reporter test/support/reporter.cjs test/aws/aws.spec.ts

.PHONY: bench
bench: tools ## measure this stack beside the usual ones, as root on Linux (15 minutes)
	@bench/run main

.PHONY: bench-guessing
bench-guessing: tools ## measure what guessing passwords costs a client that is signed in (10 minutes)
	@bench/run guessing
