"""What one run of `publish` sends where: environments of a commit, checked and compiled, and their targets."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.cli.standing import called
from flagctl.errors import ProblemsError, UsageError
from flagctl.files.walk import ATTRIBUTES, SETTINGS, classify
from flagctl.model.repository import Target, freezes, refuse_frozen, require_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from flagctl.history.git import Git
    from flagctl.model.repository import Settings
    from flagctl.problems import Problem
    from flagctl.project import Progress, Project
    from flagctl.publish.draft import Draft, Sign
    from flagctl.publish.flagd import FlagdMaker
    from flagctl.publish.receipt import Receipt
    from flagctl.publish.several import Failure
    from flagctl.stores.base import Store


class Shipment(msgspec.Struct, frozen=True):
    """Documents with the stores they go to, and what stays at home.

    places: all that settings name, by environment. left_out: paths whose changes nobody committed. unsaid: flags, with
    their environment, that flagd can't say. frozen: the freezes of environments that are in one. flagd: what makes each
    environment's flagd definition.
    """

    parcels: list[tuple[Draft, Store]]
    places: dict[str, list[Store]]
    left_out: list[str]
    unsaid: list[str]
    is_ancestor: Callable[[str, str], bool | None]
    progress: Progress
    frozen: dict[str, list[str]]
    flagd: dict[str, FlagdMaker]

    def send(
        self,
        *,
        allow_older: bool,
        dry_run: bool,
        share: int | None = None,
        above: int | None = None,
        override: str | None = None,
    ) -> Iterator[Receipt | Failure]:
        """Publish one after the other, as `publish.several.each` does.

        share: as a canary, for so many thousandths of a percent of the instances. above: see `publish`. override: why
        frozen environments are published to; without it RefusedError is raised before anything leaves, if anything
        in one would change.
        """
        from flagctl.publish.canary import start
        from flagctl.publish.floor import floor_of
        from flagctl.publish.publish import publish
        from flagctl.publish.several import Job, each

        known: dict[str, dict[str, int]] = {}

        def one(draft: Draft, store: Store, *, dry_run: bool) -> Receipt:
            name = draft.environment
            options: dict[str, Any] = {"is_ancestor": self.is_ancestor, "elapsed": stopwatch(),
                                       "allow_older": allow_older, "dry_run": dry_run}  # fmt: skip
            if share is not None:
                return start(draft, store, share, **options)
            others = [place for place in self.places[name] if place.url != store.url]
            before = known.setdefault(name, {})
            floor = partial(floor_of, others, name, before)
            with self.progress(f"{name} -> {store.url}") as report:
                options |= {"floor": floor, "above": -1 if above is None else above, "report": report}
                receipt = publish(draft, store, **options)
            before[store.url] = receipt.previous_version or 0
            return receipt

        for draft, store in self.parcels:
            said = self.frozen.get(draft.environment, [])
            if said and not override and not dry_run and one(draft, store, dry_run=True).outcome == "planned":
                refuse_frozen(said, override)

        def sent(draft: Draft, store: Store) -> Receipt:
            receipt = one(draft, store, dry_run=dry_run)
            over = override if draft.environment in self.frozen and receipt.outcome in ("published", "canary") else None
            return msgspec.structs.replace(receipt, override_freeze=over)

        yield from each(
            [Job(draft.environment, store.url, partial(sent, draft, store)) for draft, store in self.parcels]
        )


def stopwatch() -> Callable[[], float]:
    """Seconds since this was called."""
    start = time.monotonic()
    return lambda: time.monotonic() - start


def receipts_of(
    project: Project,
    revision: str,
    names: Sequence[str],
    everything: bool,
    target: str | None,
    *,
    signer: Callable[[Settings], Sign | None],
    say: Callable[[str], None],
    warn: Callable[[str, str], None],
    now: float,
    canary: str | None,
    promote: bool,
    abort: bool,
    above: int | None,
    self_test: bool | None,
    override_freeze: str | None,
    **options: Any,
) -> Iterator[Receipt | Failure]:
    """One run of `publish`. Nothing leaves before everything is in order; then one target after the other.

    self_test: try the flagd definition out in flagd's engine; None: that of protected environments, if it is there.
    override_freeze: why frozen environments are published to; to take a canary back needs none.
    """
    from flagctl.compile.flagd import oversize
    from flagctl.publish.canary import share_of

    if (canary is not None) + promote + abort > 1:
        raise UsageError("--canary, --promote-canary and --abort-canary exclude each other")
    if above is not None and (canary is not None or promote or abort):
        raise UsageError("--above is for a regular publish", hint="leave the canary's option away")
    share = None if canary is None else share_of(canary)
    if canary is not None and share is None:
        raise UsageError(f'--canary "{canary}" is no percentage above 0 and below 100', hint="--canary 10%")
    if promote or abort:
        frozen = freezes(names, project.settings(), now) if promote else []
        _tell_frozen(frozen, override_freeze, warn, dry_run=options["dry_run"])
        return settle_canary(
            project, names, everything, target, promote=promote, signer=signer, now=now, warn=warn,
            override=override_freeze if frozen else None, **options,
        )  # fmt: skip
    shipment = load(project, revision, names, everything, target, signer=signer, now=now)
    for _, store in shipment.parcels:
        store.waiting = warn
    if shipment.left_out:
        warn(f"changed but not committed, so not published: {', '.join(shipment.left_out)}", "git commit, then again")
    if shipment.unsaid:
        warn(f"not in flagd.json, for flagd can't say them: {', '.join(shipment.unsaid)}", "flagctl check says why")
    for draft in dict.fromkeys(draft for draft, _ in shipment.parcels):
        if note := oversize(draft.environment, len(shipment.flagd[draft.environment](draft.document))):
            warn(*note)
    try_out(project, shipment, self_test, say=say, warn=warn)
    frozen = [said for name in shipment.frozen for said in shipment.frozen[name]]
    if override_freeze or options["dry_run"]:
        _tell_frozen(frozen, override_freeze, warn, dry_run=options["dry_run"])
    return shipment.send(share=share, above=above, override=(override_freeze or "").strip(), **options)


def _tell_frozen(said: list[str], override: str | None, warn: Callable[[str, str], None], *, dry_run: bool) -> None:
    """Loudly, that what is published falls into a freeze. Raises RefusedError without a reason to."""
    refuse_frozen([] if dry_run else said, override)
    for one in said:
        if dry_run:
            warn(one, '--override-freeze "REASON" would be needed')
        else:
            warn(f"THE FREEZE IS OVERRIDDEN: {one}", f"why: {override}")


def try_out(
    project: Project,
    shipment: Shipment,
    wanted: bool | None,
    *,
    say: Callable[[str], None],
    warn: Callable[[str, str], None],
) -> None:
    """Have flagd's engine answer from these snapshots' flagd definitions. Raises RefusedError where it differs from us.

    wanted: None for protected environments only, and only if the engine is installed.
    """
    from flagctl.files.cache import place
    from flagctl.publish import selftest

    documents = {draft.environment: draft.document for draft, _ in shipment.parcels}
    if wanted is None:
        documents = {name: document for name, document in documents.items() if document["protected"]}
    if wanted is False or not documents:
        return
    if not selftest.installed():
        hint = 'pip install "flagctl[flagd]"'
        if wanted:
            raise UsageError("--self-test asks flagd's engine, which is not installed", hint=hint)
        warn(f"the flagd definition of {', '.join(documents)} is published without a self-test: {hint}", "")
        return
    for name, document in documents.items():
        with project.progress(f"trying out {name} in flagd") as report:
            tried = selftest.try_out(
                document, shipment.flagd[name], place(project.root, f".{name}.selftest"),
                seed=int(document["commit"][:8], 16), clock=time.time, report=report,
            )  # fmt: skip
        rest = ", the rest passed before" if tried.asked < tried.flags else ""
        say(f"flagd answers as flagctl in {name}: {tried.asked} of {tried.flags} flags asked{rest}")


def settle_canary(
    project: Project,
    names: Sequence[str],
    everything: bool,
    target: str | None,
    *,
    promote: bool,
    signer: Callable[[Settings], Sign | None],
    now: float,
    warn: Callable[[str, str], None],
    override: str | None,
    **options: Any,
) -> Iterator[Receipt | Failure]:
    """Promote or abort the canary of environments, at one target after the other, whatever the commit says now.

    Targets without one are left as they are: a run before this one may have come as far as these.
    options: `allow_older` and `dry_run`. Raises RefusedError where no target has a canary.
    """
    from flagctl.history.git import Git
    from flagctl.publish import canary
    from flagctl.publish.draft import makers
    from flagctl.publish.keys import believed
    from flagctl.publish.several import Job, each

    _require_names(names, everything)
    settings, git = project.settings(), Git(project.root)
    stores = stores_of(project, settings, list(dict.fromkeys(names)), target)
    sign = signer(settings)
    settle = canary.promote if promote else canary.abort

    def settled(name: str, store: Store) -> Receipt:
        store.waiting = warn
        done = settle(store, name, sign=sign, beside=makers(settings, sign), keys=believed(settings), now=now,
                      is_ancestor=git.is_ancestor, elapsed=stopwatch(), **options)  # fmt: skip
        return msgspec.structs.replace(done, override_freeze=override)

    jobs = [Job(name, store.url, partial(settled, name, store)) for name, places in stores.items() for store in places]
    yield from each(jobs, skip=canary.NoCanaryError, skipped=lambda why: warn(f"left as it is: {why}", ""))


def _require_names(names: Sequence[str], everything: bool) -> None:
    if bool(names) == everything:
        raise UsageError("say which environments to publish, or --all", hint="flagctl publish production")


def load(
    project: Project,
    revision: str,
    names: Sequence[str],
    everything: bool,
    target: str | None,
    *,
    signer: Callable[[Settings], Sign | None],
    now: float,
) -> Shipment:
    """Everything that has to be in order before the first byte leaves.

    names or everything: which environments. target: where to instead of where settings say.
    signer: what signs, by the commit's settings.
    Raises UsageError for names and targets that make no sense, ProblemsError when the commit's files have errors.
    """
    from flagctl.check.run import check
    from flagctl.check.select import errors_of
    from flagctl.cli.versions import of_commit
    from flagctl.compile.snapshot import snapshot
    from flagctl.files.cache import place
    from flagctl.history.git import Git
    from flagctl.history.leaks import committed_keys
    from flagctl.history.travel import CommitTree
    from flagctl.model import times
    from flagctl.publish.draft import Draft, makers
    from flagctl.publish.flagd import FlagdMaker

    _require_names(names, everything)
    git = Git(project.root)
    with CommitTree(git, revision) as tree:
        reading = project.read(tree)
        settings = reading.repository.settings
        # Problems are found while the tree is open: their lines are looked up in the commit's files.
        problems = check(reading, now, placed=False, others=committed_keys(project.root, settings))
    _stop_at(errors_of(problems), git, tree.commit)
    stores = stores_of(project, settings, list(dict.fromkeys(names)), target)
    # Mistakes in other environments are not in the way of these.
    _stop_at(errors_of(problems, stores), git, tree.commit)
    sign = signer(settings)
    commit_time = times.text(int(git.read("show", "--no-patch", "--format=%ct", tree.commit)))
    numbers = of_commit(project, git, tree.commit)
    parcels = []
    flagd: dict[str, FlagdMaker] = {}
    with project.progress("compiling") as report:
        for done, (name, places) in enumerate(stores.items()):
            report(done, len(stores))
            document = snapshot(
                reading.repository.environments[name],
                settings,
                reading.repository.attributes,
                commit=tree.commit,
                commit_time=commit_time,
                versions={key: number for (where, key), number in numbers.items() if where == name},
            )
            flagd[name] = FlagdMaker(place(project.root, f".{name}.flagd"))
            draft = Draft(document, sign=sign, beside=makers(settings, sign, flagd[name]))
            if any(store.url.startswith("redis") for store in places):
                draft.prepare()
            parcels += [(draft, store) for store in places]
    left_out = _uncommitted(git, list(stores)) if git.resolve("HEAD") == tree.commit else []
    named = {name: _opened(project, settings.environments[name].targets) for name in stores} if target else stores
    frozen, unsaid = _frozen(git, project, settings, tree.commit, stores, now), _unsaid(problems, stores)
    return Shipment(parcels, named, left_out, unsaid, git.is_ancestor, project.progress, frozen, flagd)


def _frozen(
    git: Git, project: Project, settings: Settings, commit: str, names: Collection[str], now: float
) -> dict[str, list[str]]:
    """The freezes of each environment, by the settings of the commit and by those of HEAD, which may be newer."""
    from flagctl.history.travel import CommitTree
    from flagctl.project import Project

    known = [settings]
    if git.resolve("HEAD") != commit:
        with CommitTree(git, "HEAD") as tree, suppress(ProblemsError):
            known.append(Project(project.root, past=tree).settings())
    found = {name: [said for one in known for said in freezes([name], one, now)] for name in names}
    return {name: list(dict.fromkeys(said)) for name, said in found.items() if said}


def stores_of(project: Project, settings: Settings, names: list[str], target: str | None) -> dict[str, list[Store]]:
    """Each environment's stores; no names: of all environments that have one. Raises UsageError where none has.

    target: this one instead, with its options where settings list it.
    """
    known = settings.environments
    for name in names:
        require_environment(name, known)
    chosen: dict[str, Sequence[Target]] = {name: known[name].targets for name in names or known}
    if target:
        chosen = {name: called(target, places) or [Target(url=target)] for name, places in chosen.items()}
    lacking = [name for name, targets in chosen.items() if not targets]
    if lacking and (names or len(lacking) == len(chosen)):
        raise UsageError(
            f"no target to publish {lacking[0]} to",
            hint=f'write targets: ["file:published"] below {lacking[0]} in flags/flagctl.yaml, or add --target URL',
        )
    return {name: _opened(project, targets) for name, targets in chosen.items() if targets}


def _opened(project: Project, targets: Iterable[Target]) -> list[Store]:
    from flagctl.stores import open_store

    return [open_store(place.url, project.root, place.options) for place in targets]


def _stop_at(errors: list[Problem], git: Git, commit: str) -> None:
    if errors:
        hint = "flagctl check shows them all; mend and commit, or publish an earlier commit with --rev"
        mended = {problem.file for problem in errors}.intersection(_uncommitted(git, []))
        if mended and git.resolve("HEAD") == commit:
            hint = f"what is not committed is not published: git add {' '.join(sorted(mended))} && git commit"
        if leaked := sorted({problem.file for problem in errors if problem.rule == "private-key"}):
            hint = f"git rm {' '.join(leaked)}, commit, and replace the key: flagctl key rotate --help"
        raise ProblemsError(
            f"commit {commit[:12]} has {len(errors)} error{'s' * (len(errors) > 1)}; nothing was published",
            errors,
            hint=hint,
        )


def _unsaid(problems: Iterable[Problem], environments: Collection[str]) -> list[str]:
    entries = {classify(problem.file) for problem in problems if problem.rule.startswith("flagd-")}
    return sorted(f"{entry.environment}/{entry.name}" for entry in entries if entry.environment in environments)


def _uncommitted(git: Git, environments: list[str]) -> list[str]:
    paths = [SETTINGS, ATTRIBUTES, *(f"flags/{name}" for name in environments)]
    changed = git.read("diff", "--name-only", "-z", "--relative", "HEAD", "--", *paths)
    unknown = git.read("ls-files", "--others", "--exclude-standard", "-z", "--", *paths)
    return sorted({path for path in (changed + unknown).split("\0") if path})
