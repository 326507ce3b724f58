import sys

from facelab.course.demo import main

sys.exit(main())
