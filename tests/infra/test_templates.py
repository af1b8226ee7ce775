from __future__ import annotations

import re

import pytest
from factories.stacks import INFRA, STACKS, as_list, load_stack, resources, statements, text

BUCKETS = resources("buckets", "AWS::S3::Bucket")


def test_every_template_is_known_here() -> None:
    templates = {path.stem for path in INFRA.glob("*.yaml") if "AWSTemplateFormatVersion" in path.read_text()}
    assert templates == set(STACKS)


@pytest.mark.parametrize("name", STACKS)
def test_no_yaml_alias_which_cloudformation_refuses(name: str) -> None:
    assert not re.search(r"(^|[\s\[{,])[&*][a-z]+\s*(\n|$)", (INFRA / f"{name}.yaml").read_text())


def test_what_is_allowed_has_no_wildcard() -> None:
    """An object's ARN may end in a prefix and /*, a table's in its database and /*."""
    allowed = [(place, one) for place, one in statements() if one["Effect"] == "Allow"]
    assert len(allowed) >= 15
    for place, one in allowed:
        assert not {"NotAction", "NotResource", "NotPrincipal"} & set(one), place
        for action in as_list(one["Action"]):
            assert re.fullmatch(r"[a-z0-9]+:[A-Za-z]+", action), f"{place}: {action}"
        for resource in as_list(one.get("Resource", [])):
            arn = text(resource)
            narrow = re.fullmatch(r"[^*]+(:s3:::\$\{\w+\}/[a-z]+/|:table/\$\{Database\}/)\*", arn)
            assert "*" not in arn or narrow, f"{place}: {arn}"


def test_roles_trust_one_service_account_each() -> None:
    trusted = {}
    for name, role in resources("roles", "AWS::IAM::Role").items():
        document = next(one for place, one in statements() if place == f"roles.{name}" and "Principal" in one)
        assert document["Action"] == "sts:AssumeRoleWithWebIdentity"
        conditions = document["Condition"]["StringEquals"]
        assert conditions["${OidcIssuer}:aud"] == "sts.amazonaws.com"
        trusted[name] = conditions["${OidcIssuer}:sub"]
        assert role["ManagedPolicyArns"]
        assert not any("aws:policy" in str(arn) for arn in role["ManagedPolicyArns"])
    assert trusted == {
        "Triton": "system:serviceaccount:${Namespace}:${Name}-triton",
        "Gateway": "system:serviceaccount:${Namespace}:${Name}-gateway",
        "Worker": "system:serviceaccount:${Namespace}:${Name}-worker",
        "Promotion": "system:serviceaccount:${Namespace}:${Name}-promotion",
        "Training": "system:serviceaccount:${PipelineNamespace}:${PipelineAccount}",
    }


def test_triton_can_only_read_releases() -> None:
    roles = resources("roles", "AWS::IAM::Role")
    assert roles["Triton"]["ManagedPolicyArns"] == [{"Ref": "ReadReleases"}]
    actions = {
        action
        for place, one in statements()
        if place == "roles.ReadReleases"
        for action in as_list(one["Action"])
    }
    assert actions == {"s3:ListBucket", "s3:GetObject"}


def test_a_promotion_can_only_read_releases_and_move_the_pointer() -> None:
    roles = resources("roles", "AWS::IAM::Role")
    assert roles["Promotion"]["ManagedPolicyArns"] == [{"Ref": "ReadReleases"}, {"Ref": "PointAtRelease"}]
    (written,) = (one for place, one in statements() if place == "roles.PointAtRelease")
    assert as_list(written["Action"]) == ["s3:PutObject"]
    assert str(written["Resource"]).rstrip("'}").endswith("/releases/current")


@pytest.mark.parametrize("name", BUCKETS)
def test_buckets_are_private_encrypted_versioned_and_kept(name: str) -> None:
    bucket = BUCKETS[name]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert load_stack("buckets")["Resources"][name]["DeletionPolicy"] == "Retain"


@pytest.mark.parametrize(
    ("stack", "kind", "target"),
    [("buckets", "AWS::S3::BucketPolicy", "Bucket"), ("events", "AWS::SQS::QueuePolicy", "Queues")],
)
def test_nothing_is_reached_without_tls(stack: str, kind: str, target: str) -> None:
    guarded = set()
    for policy in resources(stack, kind).values():
        (deny,) = policy["PolicyDocument"]["Statement"]
        assert (deny["Effect"], deny["Principal"]) == ("Deny", "*")
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        guarded |= {one["Ref"] for one in as_list(policy[target])}
    assert guarded == set(
        resources(stack, {"buckets": "AWS::S3::Bucket", "events": "AWS::SQS::Queue"}[stack])
    )


def test_valkey_survives_a_zone_and_is_closed() -> None:
    (cache,) = resources("cache", "AWS::ElastiCache::ReplicationGroup").values()
    assert cache["Engine"] == "valkey"
    for key in (
        "MultiAZEnabled",
        "AutomaticFailoverEnabled",
        "TransitEncryptionEnabled",
        "AtRestEncryptionEnabled",
    ):
        assert cache[key] is True, key
    assert cache["TransitEncryptionMode"] == "required"
    assert cache["UserGroupIds"] == [{"Ref": "Users"}]
    (user,) = resources("cache", "AWS::ElastiCache::User").values()
    assert "-@all" in user["AccessString"] and "-@dangerous" in user["AccessString"]
    assert "+@all" not in user["AccessString"]
    (group,) = resources("cache", "AWS::EC2::SecurityGroup").values()
    (rule,) = group["SecurityGroupIngress"]
    assert rule["SourceSecurityGroupId"] == {"Ref": "Clients"}
    assert (rule["FromPort"], rule["ToPort"]) == (6379, 6379)


def test_the_password_is_made_by_aws_and_stands_nowhere() -> None:
    (secret,) = resources("cache", "AWS::SecretsManager::Secret").values()
    assert secret["GenerateSecretString"]["PasswordLength"] >= 32
    assert "SecretString" not in secret
    (user,) = resources("cache", "AWS::ElastiCache::User").values()
    (password,) = user["AuthenticationMode"]["Passwords"]
    assert text(password) == "{{resolve:secretsmanager:${Password}:SecretString}}"
    assert not any("resolve" in str(value) for value in load_stack("cache")["Outputs"].values())


def test_broken_events_are_set_aside() -> None:
    queues = resources("events", "AWS::SQS::Queue")
    redrive = queues["Events"]["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": "Dead.Arn"}
    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues.values())
    from recsys.settings import EventSettings

    assert load_stack("events")["Parameters"]["MaxAttempts"]["Default"] == EventSettings().max_attempts


def test_images_cannot_be_replaced_and_are_scanned() -> None:
    repositories = resources("images", "AWS::ECR::Repository").values()
    names = {text(one["RepositoryName"]) for one in repositories}
    assert names == {f"${{Name}}-{part}" for part in ("train", "triton", "gateway", "worker")}
    for one in repositories:
        assert one["ImageTagMutability"] == "IMMUTABLE"
        assert one["ImageScanningConfiguration"] == {"ScanOnPush": True}


def test_queries_are_bounded_and_encrypted() -> None:
    (group,) = resources("features", "AWS::Athena::WorkGroup").values()
    settings = group["WorkGroupConfiguration"]
    assert settings["EnforceWorkGroupConfiguration"] is True
    assert settings["BytesScannedCutoffPerQuery"] == {"Ref": "ScanLimitBytes"}
    assert settings["ResultConfiguration"]["EncryptionConfiguration"]["EncryptionOption"]


@pytest.mark.parametrize("name", STACKS)
def test_what_a_linter_is_told_to_pass_over_has_a_reason(name: str) -> None:
    for one in load_stack(name)["Resources"].values():
        for skip in one.get("Metadata", {}).get("checkov", {}).get("skip", ()):
            assert len(skip["comment"]) > 20, skip
