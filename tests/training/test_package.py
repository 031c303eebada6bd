import ancestral.training as package


def test_the_package_names_what_it_exports() -> None:
    assert package.__all__ == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)
    modules = {"annotations"} | {name for name in vars(package) if name.islower()}
    public = {name for name in vars(package) if not name.startswith("_")} - modules
    assert public <= set(package.__all__)
