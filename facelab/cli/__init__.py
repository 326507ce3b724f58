"""The command line: `facelab --help`.

Exit status: 0 done (verify: the same person; identify: somebody known; live: no attack), 1 (those three only)
different people, a stranger or an attack, 2 it could not be done and one line on standard error says why.
"""

import typer

from facelab.cli import benchmark, data, gallery, weights
from facelab.cli.calibrate import calibrate
from facelab.cli.cluster import cluster
from facelab.cli.common import Errors
from facelab.cli.health import doctor
from facelab.cli.photos import embed, live, verify
from facelab.cli.train import export, train

app = typer.Typer(
    cls=Errors,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Face recognition, from photo to answer.",
)
app.command()(verify)
app.command()(live)
app.command()(embed)
app.command()(cluster)
app.command()(calibrate)
app.command()(train)
app.command()(export)
app.command()(doctor)
app.add_typer(gallery.app, name="gallery")
app.add_typer(benchmark.app, name="benchmark")
app.add_typer(weights.app, name="weights")
app.add_typer(data.app, name="data")
